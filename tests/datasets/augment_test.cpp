#include "datasets/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "datasets/batch.h"
#include "datasets/phantoms.h"

namespace attune {
namespace {

AugmentOptions both() {
  AugmentOptions options;
  options.flip = true;
  options.shift = 0.25;
  return options;
}

struct Image {
  Index rows = 2, cols = 3, patch = 4;
  std::vector<float> patches = std::vector<float>(96);

  Index height() const { return rows * patch; }
  Index width() const { return cols * patch; }
  float& at(Index y, Index x) {
    const Index token = y / patch * cols + x / patch;
    return patches[static_cast<std::size_t>((token * patch + y % patch) * patch + x % patch)];
  }
  Image changed(const Augmentation& what) const {
    Image out;
    augment(what, rows, cols, patch, patches.data(), out.patches.data());
    return out;
  }
};

Image numbered() {
  Image image;
  std::iota(image.patches.begin(), image.patches.end(), 1.0F);
  return image;
}

// By the definition, pixel by pixel.
TEST(Augment, MirrorsThenMovesAndRepeatsTheBorder) {
  Image in = numbered();
  for (const bool flip : {false, true})
    for (const Index down : {-8, -3, 0, 1, 4})
      for (const Index right : {-5, 0, 4, 11}) {
        Image out = in.changed({flip, down, right});
        for (Index y = 0; y < in.height(); ++y)
          for (Index x = 0; x < in.width(); ++x) {
            const Index from_y = std::clamp(y - down, Index{0}, in.height() - 1);
            Index from_x = std::clamp(x - right, Index{0}, in.width() - 1);
            if (flip) from_x = in.width() - 1 - from_x;
            ASSERT_EQ(out.at(y, x), in.at(from_y, from_x));
          }
      }
}

TEST(Augment, TwoMirrorsAreNone) {
  const Augmentation mirror{true, 0, 0};
  EXPECT_NE(numbered().changed(mirror).patches, numbered().patches);
  EXPECT_EQ(numbered().changed(mirror).changed(mirror).patches, numbered().patches);
}

// Half are mirrored, and each shift of −2 … 2 of 8 and −3 … 3 of 12 pixels comes equally often.
TEST(Augmenter, DrawsWhatTheKeysSay) {
  const Augmenter augmenter(both(), 1);
  constexpr Index kN = 20000;
  std::map<Index, double> down, right;
  double flips = 0;
  for (Index i = 0; i < kN; ++i) {
    const Augmentation a = augmenter.draw(i % 100, i / 100, 8, 12);
    flips += a.flip;
    down[a.down] += 1;
    right[a.right] += 1;
  }
  const auto margin = [](double p) { return 4 * std::sqrt(p * (1 - p) * kN); };
  EXPECT_NEAR(flips, kN / 2, margin(0.5));
  ASSERT_EQ(down.size(), 5U);
  ASSERT_EQ(right.size(), 7U);
  EXPECT_EQ(down.begin()->first, -2);
  EXPECT_EQ(right.begin()->first, -3);
  for (const auto& [shift, n] : down) EXPECT_NEAR(n, kN / 5.0, margin(0.2)) << shift;
  for (const auto& [shift, n] : right) EXPECT_NEAR(n, kN / 7.0, margin(1 / 7.0)) << shift;
}

TEST(Augmenter, OffItDoesNothing) {
  const Augmenter augmenter({}, 1);
  EXPECT_FALSE(augmenter.any());
  for (Index i = 0; i < 50; ++i) {
    const Augmentation a = augmenter.draw(i, i, 64, 64);
    EXPECT_TRUE(!a.flip && a.down == 0 && a.right == 0);
  }
}

class AugmentedBatch : public testing::Test {
 protected:
  AugmentedBatch() {
    PhantomsOptions options;
    options.n_train = 24;
    data_ = options.open({.patch = 8, .seed = 0});
  }
  std::vector<float> patches_of(const std::vector<Index>& indices, std::size_t place, Index step) {
    Batch batch;
    batch.assemble_augmented(*data_->images(), indices, Augmenter(both(), 3), step);
    const float* first = batch.values().row(batch.rows().offsets[static_cast<Index>(place)]);
    return {first, batch.values().row(batch.rows().offsets[static_cast<Index>(place) + 1])};
  }
  std::unique_ptr<Dataset> data_;
};

TEST_F(AugmentedBatch, AnExampleIsChangedAlikeInWhateverPackItIs) {
  const auto alone = patches_of({5}, 0, 17);
  EXPECT_EQ(alone, patches_of({9, 1, 5, 2}, 2, 17));
  EXPECT_EQ(alone, patches_of({5, 20}, 0, 17));
}

TEST_F(AugmentedBatch, EachStepChangesItAnew) {
  std::set<std::vector<float>> seen;
  for (Index step = 0; step < 8; ++step) seen.insert(patches_of({5}, 0, step));
  EXPECT_EQ(seen.size(), 8U);
}

// Packing depends on sizes alone, which augmentation leaves as they are.
TEST_F(AugmentedBatch, GridsIdsAndTargetsAreThoseOfThePlainBatch) {
  const std::vector<Index> indices = {3, 1, 4, 15, 9};
  Batch plain, changed;
  plain.assemble(*data_, Split::train, indices);
  changed.assemble_augmented(*data_->images(), indices, Augmenter(both(), 3), 0);
  const auto same = [](View<const std::int32_t> a, View<const std::int32_t> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  };
  EXPECT_TRUE(same(plain.rows().offsets, changed.rows().offsets));
  EXPECT_TRUE(same(plain.rows().grid, changed.rows().grid));
  EXPECT_TRUE(same(plain.rows().example, changed.rows().example));
  EXPECT_TRUE(same(plain.targets(), changed.targets()));
}

}  // namespace
}  // namespace attune
