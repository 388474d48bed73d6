#include "datasets/phantoms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

namespace attune {
namespace {

// Four standard deviations of a fair coin's mean over n tosses.
double chance_margin(Index n) { return 4 * 0.5 / std::sqrt(static_cast<double>(n)); }

struct Painted {
  Phantom phantom;
  std::vector<float> pixels;
  View<const float> view() const { return {pixels.data(), {phantom.height, phantom.width}}; }
};

std::vector<Painted> painted(Split split, Index n, std::uint64_t seed = 1) {
  const PhantomPainter painter({}, seed);
  std::vector<Painted> all;
  for (Index i = 0; i < n; ++i) {
    Painted p;
    p.phantom = painter.draw(split, i);
    p.pixels.resize(static_cast<std::size_t>(p.phantom.height * p.phantom.width));
    painter.paint(split, i, {p.pixels.data(), {p.phantom.height, p.phantom.width}});
    all.push_back(std::move(p));
  }
  return all;
}

// log of the axis ratio (x over y) of what is bright, from its second moments in pixels.
double log_axis_ratio(View<const float> image) {
  double mass = 0, mx = 0, my = 0, xx = 0, yy = 0;
  for (Index y = 0; y < image.dim(0); ++y)
    for (Index x = 0; x < image.dim(1); ++x) {
      const double w = image(y, x) > 0.58F ? 1 : 0;
      const double fx = static_cast<double>(x), fy = static_cast<double>(y);
      mass += w;
      mx += w * fx;
      my += w * fy;
      xx += w * fx * fx;
      yy += w * fy * fy;
    }
  if (mass < 4) return 0;
  const double vx = xx / mass - (mx / mass) * (mx / mass);
  const double vy = yy / mass - (my / mass) * (my / mass);
  return 0.5 * std::log((vx + 0.1) / (vy + 0.1));
}

std::vector<float> stretched(const Painted& p) {
  std::vector<float> square(32 * 32);
  resize(p.view(), {square.data(), {32, 32}});
  return square;
}

// Accuracy of the best threshold on `feature`, of either direction, found on one half of the
// examples and counted on the other.
double threshold_accuracy(const std::vector<double>& feature, const std::vector<Index>& label) {
  const std::size_t half = feature.size() / 2;
  double best = 0, threshold = 0, direction = 1;
  for (std::size_t t = 0; t < half; ++t)
    for (const double d : {-1.0, 1.0}) {
      double right = 0;
      for (std::size_t i = 0; i < half; ++i)
        right += (d * (feature[i] - feature[t]) > 0) == (label[i] == 1);
      if (right > best) best = right, threshold = feature[t], direction = d;
    }
  double right = 0;
  for (std::size_t i = half; i < feature.size(); ++i)
    right += (direction * (feature[i] - threshold) > 0) == (label[i] == 1);
  return right / static_cast<double>(feature.size() - half);
}

// Share of examples whose label most of their k nearest others in `points` have.
double neighbour_accuracy(const std::vector<std::vector<float>>& points,
                          const std::vector<Index>& label, std::size_t k = 5) {
  double right = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    std::vector<std::pair<float, Index>> near;
    for (std::size_t j = 0; j < points.size(); ++j) {
      if (j == i) continue;
      float distance = 0;
      for (std::size_t c = 0; c < points[i].size(); ++c)
        distance += (points[i][c] - points[j][c]) * (points[i][c] - points[j][c]);
      near.emplace_back(distance, label[j]);
    }
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(k), near.end());
    std::size_t ones = 0;
    for (std::size_t n = 0; n < k; ++n) ones += near[n].second == 1;
    right += (2 * ones > k) == (label[i] == 1);
  }
  return right / static_cast<double>(points.size());
}

std::vector<Index> labels_of(const std::vector<Painted>& all) {
  std::vector<Index> labels;
  for (const Painted& p : all) labels.push_back(p.phantom.label);
  return labels;
}

TEST(Phantoms, EverySplitIsBalanced) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 3});
  for (Split split : kSplits) {
    Index ones = 0;
    for (Index i = 0; i < data->n_examples(split); ++i) ones += data->example(split, i).label;
    EXPECT_EQ(2 * ones, data->n_examples(split));
  }
}

TEST(Phantoms, ARoundLesionIsACircleInPixelsAndAnElongatedOneHasTwiceTheLogAspect) {
  const PhantomPainter painter({}, 2);
  for (Index i = 0; i < 500; ++i) {
    const Phantom p = painter.draw(Split::train, i);
    const double w = static_cast<double>(p.width), h = static_cast<double>(p.height);
    const double in_pixels = std::log(p.radius_u * w / (p.radius_v * h));
    EXPECT_NEAR(in_pixels, p.label == 1 ? 2 * std::log(w / h) : 0, 1e-12);
  }
}

// The construction's core: in a square copy both labels have the log axis ratios ±A, by fair coins.
TEST(Phantoms, InASquareCopyTheSignOfTheElongationIsAFairCoinForEitherLabel) {
  const PhantomPainter painter({}, 4);
  constexpr Index kN = 20000;
  Index wide[2] = {0, 0}, along_u[2] = {0, 0};
  for (Index i = 0; i < kN; ++i) {
    const Phantom p = painter.draw(Split::train, i);
    const double a = std::log(static_cast<double>(p.width) / static_cast<double>(p.height));
    EXPECT_NEAR(std::abs(std::log(p.radius_u / p.radius_v)), std::abs(a), 1e-12);
    wide[p.label] += p.width > p.height;
    along_u[p.label] += p.radius_u > p.radius_v;
  }
  constexpr double kHalf = kN / 2.0;
  for (const Index label : {0, 1}) {
    EXPECT_NEAR(static_cast<double>(wide[label]) / kHalf, 0.5, chance_margin(kN / 2));
    EXPECT_NEAR(static_cast<double>(along_u[label]) / kHalf, 0.5, chance_margin(kN / 2));
  }
}

TEST(Phantoms, NoLesionLeavesItsImageAndItsAreaHasOneLawForBothLabels) {
  const PhantomPainter painter({}, 5);
  constexpr Index kN = 4000;
  double area[2] = {0, 0};
  for (Index i = 0; i < kN; ++i) {
    const Phantom p = painter.draw(Split::test, i);
    EXPECT_GE(p.u - p.radius_u, 0);
    EXPECT_LE(p.u + p.radius_u, 1);
    EXPECT_GE(p.v - p.radius_v, 0);
    EXPECT_LE(p.v + p.radius_v, 1);
    area[p.label] += 3.14159265358979 * p.radius_u * p.radius_v;
  }
  constexpr double kHalf = kN / 2.0;
  // Uniform on .06 … .2: σ = .14/√12; the difference of two means over kN/2 each, four σ.
  EXPECT_NEAR((area[0] - area[1]) / kHalf, 0, 4 * 0.14 / std::sqrt(12.0) * std::sqrt(4.0 / kN));
}

TEST(Phantoms, SizesVaryWithinTheirLimits) {
  const PhantomPainter painter({}, 6);
  std::set<std::pair<Index, Index>> shapes;
  for (Index i = 0; i < 500; ++i) {
    const Phantom p = painter.draw(Split::train, i);
    EXPECT_GE(std::min(p.height, p.width), 24);
    EXPECT_LE(std::max(p.height, p.width), 96);
    shapes.emplace(p.height, p.width);
  }
  EXPECT_GT(shapes.size(), 300u);
}

TEST(Phantoms, ASizeOnlyClassifierIsAtChance) {
  const PhantomPainter painter({}, 7);
  constexpr Index kN = 2000;
  std::vector<std::vector<float>> size;
  std::vector<double> aspect, area;
  std::vector<Index> label;
  for (Index i = 0; i < kN; ++i) {
    const Phantom p = painter.draw(Split::train, i);
    size.push_back({static_cast<float>(p.height), static_cast<float>(p.width)});
    aspect.push_back(static_cast<double>(p.width) / static_cast<double>(p.height));
    area.push_back(static_cast<double>(p.width * p.height));
    label.push_back(p.label);
  }
  EXPECT_NEAR(neighbour_accuracy(size, label, 15), 0.5, chance_margin(kN));
  EXPECT_NEAR(threshold_accuracy(aspect, label), 0.5, chance_margin(kN / 2));
  EXPECT_NEAR(threshold_accuracy(area, label), 0.5, chance_margin(kN / 2));
}

TEST(Phantoms, AtTheirOwnAspectRatioSecondMomentsTellTheClasses) {
  const auto all = painted(Split::train, 600);
  std::vector<double> elongation;
  for (const Painted& p : all) elongation.push_back(std::abs(log_axis_ratio(p.view())));
  EXPECT_GT(threshold_accuracy(elongation, labels_of(all)), 0.95);
}

TEST(Phantoms, StretchedCopiesAreAtChanceForMomentsAndNeighbours) {
  constexpr Index kN = 1000;
  const auto all = painted(Split::train, kN);
  std::vector<double> along, elongation;
  std::vector<std::vector<float>> pixels;
  for (const Painted& p : all) {
    pixels.push_back(stretched(p));
    along.push_back(log_axis_ratio({pixels.back().data(), {32, 32}}));
    elongation.push_back(std::abs(along.back()));
  }
  EXPECT_NEAR(threshold_accuracy(along, labels_of(all)), 0.5, chance_margin(kN / 2));
  EXPECT_NEAR(threshold_accuracy(elongation, labels_of(all)), 0.5, chance_margin(kN / 2));
  EXPECT_NEAR(neighbour_accuracy(pixels, labels_of(all)), 0.5, chance_margin(kN));
}

// The same through the config's key, on what a model is given. Padding keeps the shape; cropping
// keeps it where the lesion is inside.
TEST(Phantoms, TheResizePolicyDecidesWhetherTheClassesCanBeTold) {
  const auto accuracy = [](ResizeOptions::Policy policy) {
    PhantomsOptions options;
    options.n_train = 1000;
    options.resize.policy = policy;
    options.resize.max_tokens = 1024;  // patches of one pixel: patches are the image
    const auto data = options.open({.patch = 1, .seed = 1});
    std::vector<double> elongation;
    std::vector<Index> label;
    for (Index i = 0; i < options.n_train; ++i) {
      const Example e = data->example(Split::train, i);
      std::vector<float> image(static_cast<std::size_t>(e.n_tokens()));
      data->images()->write_patches(Split::train, i, image.data());
      for (float& x : image) x = x / 4 + 0.5F;
      elongation.push_back(std::abs(log_axis_ratio({image.data(), {e.rows, e.cols}})));
      label.push_back(e.label);
    }
    return threshold_accuracy(elongation, label);
  };
  EXPECT_GT(accuracy(ResizeOptions::Policy::native), 0.95);
  EXPECT_GT(accuracy(ResizeOptions::Policy::pad), 0.95);
  EXPECT_NEAR(accuracy(ResizeOptions::Policy::stretch), 0.5, chance_margin(500));
}

// What stretching takes away is the aspect ratio and nothing else: with it, the label is back.
TEST(Phantoms, AStretchedCopyWithItsAspectRatioTellsTheClassesAgain) {
  const auto all = painted(Split::train, 400);
  std::vector<double> product;
  for (const Painted& p : all) {
    const auto square = stretched(p);
    product.push_back(
        log_axis_ratio({square.data(), {32, 32}}) *
        std::log(static_cast<double>(p.phantom.width) / static_cast<double>(p.phantom.height)));
  }
  EXPECT_GT(threshold_accuracy(product, labels_of(all)), 0.95);
}

TEST(Phantoms, AnImageDependsOnSeedSplitAndIndexAlone) {
  PhantomsOptions few, many;
  few.n_train = 4;
  many.n_train = 40;
  const auto a = few.open({.patch = 8, .seed = 3}), b = many.open({.patch = 8, .seed = 3}),
             c = many.open({.patch = 8, .seed = 4});
  const Example e = a->example(Split::train, 2);
  std::vector<float> x(static_cast<std::size_t>(e.n_tokens() * 64)), y = x;
  a->images()->write_patches(Split::train, 2, x.data());
  b->images()->write_patches(Split::train, 2, y.data());
  EXPECT_EQ(x, y);
  EXPECT_EQ(e.id, b->example(Split::train, 2).id);
  std::vector<float> z(static_cast<std::size_t>(c->example(Split::train, 2).n_tokens() * 64));
  c->images()->write_patches(Split::train, 2, z.data());
  EXPECT_NE(x, z);
}

TEST(Phantoms, AnImageBeforeResizingIsWhatWasPainted) {
  const PhantomsOptions options;
  const auto data = options.open({.patch = 16, .seed = 3});
  const PhantomPainter painter(options, 3);
  const ImageSize size = data->images()->image_size(Split::val, 5);
  const Phantom p = painter.draw(Split::val, 5);
  EXPECT_EQ(size.height, p.height);
  EXPECT_EQ(size.width, p.width);
  std::vector<float> painted(static_cast<std::size_t>(p.height * p.width)), read = painted;
  painter.paint(Split::val, 5, View<float>(painted.data(), {p.height, p.width}));
  data->images()->read_image(Split::val, 5, View<float>(read.data(), {p.height, p.width}));
  EXPECT_EQ(read, painted);
}

TEST(Phantoms, IdsAreUniqueAcrossSplits) {
  PhantomsOptions options;
  options.n_train = 30;
  options.n_val = 10;
  options.n_test = 20;
  const auto data = options.open({.patch = 8, .seed = 0});
  std::set<Index> ids;
  for (Split split : kSplits)
    for (Index i = 0; i < data->n_examples(split); ++i) ids.insert(data->example(split, i).id);
  EXPECT_EQ(ids.size(), 60u);
}

TEST(Phantoms, ManyThreadsReadTheSamePatches) {
  PhantomsOptions options;
  options.n_train = 16;
  const auto data = options.open({.patch = 8, .seed = 0});
  const auto read = [&] {
    std::vector<float> all;
    for (Index i = 0; i < 16; ++i) {
      std::vector<float> one(
          static_cast<std::size_t>(data->example(Split::train, i).n_tokens() * 64));
      data->images()->write_patches(Split::train, i, one.data());
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  };
  std::vector<std::vector<float>> seen(4);
  std::vector<std::thread> threads;
  for (auto& result : seen) threads.emplace_back([&] { result = read(); });
  for (auto& thread : threads) thread.join();
  for (const auto& result : seen) EXPECT_EQ(result, read());
}

TEST(Phantoms, TheHashMovesWithTheContentNotWithWhatIsDoneToIt) {
  PhantomsOptions options;
  const auto hash = [&] { return options.open({.patch = 8, .seed = 0})->sha256(); };
  const std::string before = hash();
  EXPECT_EQ(before.size(), 64u);
  options.resize.max_tokens = 20;
  options.resize.policy = ResizeOptions::Policy::pad;
  options.augment.flip = true;
  EXPECT_EQ(hash(), before);
  EXPECT_NE(options.open({.patch = 8, .seed = 1})->sha256(), before) << "redrawn by the run's seed";
  options.seed = 0;
  EXPECT_EQ(hash(), before);
  EXPECT_EQ(options.open({.patch = 8, .seed = 1})->sha256(), before);
  options.noise = 0.2;
  EXPECT_NE(hash(), before);
}

TEST(Phantoms, MaxTokensLimitsEveryImage) {
  PhantomsOptions options;
  options.resize.max_tokens = 20;
  const auto data = options.open({.patch = 8, .seed = 0});
  for (const Index length : data->lengths(Split::train)) EXPECT_LE(length, 20);
}

std::vector<std::string> complaints(PhantomsOptions& options) {
  FieldList list;
  options.fields(list);
  std::vector<std::string> keys;
  for (const auto& rule : list.rules())
    if (const auto complaint = rule()) keys.push_back(complaint->key);
  return keys;
}

TEST(Phantoms, GeometryThatCannotBeIsRefused) {
  PhantomsOptions options;
  EXPECT_TRUE(complaints(options).empty());
  options.max_side = 40;
  EXPECT_THAT(complaints(options), testing::ElementsAre("max_side"));
  options = {};
  options.lesion_area = {0.1, 0.4};
  EXPECT_THAT(complaints(options), testing::ElementsAre("lesion_area"));
  options = {};
  options.aspect = {2.5, 1.5};
  EXPECT_THAT(complaints(options), testing::Contains("aspect"));
}

}  // namespace
}  // namespace attune
