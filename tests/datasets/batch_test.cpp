#include "datasets/batch.h"

#include <gtest/gtest.h>

#include "datasets/packer.h"
#include "datasets/phantoms.h"
#include "datasets/transduction.h"

namespace attune {
namespace {

TEST(Batch, HoldsTheExamplesOneBehindTheOther) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 1});
  const std::vector<Index> indices = {5, 0, 17};
  Batch batch;
  batch.assemble(*data, Split::val, indices);

  const PackedRows rows = batch.rows();
  ASSERT_EQ(rows.n_examples(), 3);
  EXPECT_EQ(rows.n_rows(), batch.values().dim(0));
  EXPECT_EQ(batch.values().dim(1), 64);
  for (Index e = 0; e < 3; ++e) {
    const Index i = indices[static_cast<std::size_t>(e)];
    const Example expected = data->example(Split::val, i);
    EXPECT_EQ(rows.offsets[e + 1] - rows.offsets[e], expected.n_tokens());
    EXPECT_EQ(rows.example[e], expected.id);
    EXPECT_EQ(rows.grid(e, 0), expected.rows);
    EXPECT_EQ(rows.grid(e, 1), expected.cols);
    EXPECT_EQ(batch.targets()[e], expected.label);
    EXPECT_EQ(batch.groups()[static_cast<std::size_t>(e)], expected.group);

    std::vector<float> alone(static_cast<std::size_t>(expected.n_tokens() * 64));
    data->images()->write_patches(Split::val, i, alone.data());
    const float* here = batch.values().row(rows.offsets[e]);
    EXPECT_EQ(std::vector<float>(here, here + alone.size()), alone);
  }
}

TEST(Batch, AReservedBatchKeepsItsMemory) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 1});
  Packer packer(data->lengths(Split::train), {.batch_tokens = 1024}, 0);
  Batch batch;
  batch.reserve(*data, packer.max_tokens(), packer.max_examples());
  const BatchPlan& plan = packer.epoch(0);
  batch.assemble(*data, Split::train, plan[0]);
  const float* patches = batch.values().data();
  const std::int32_t* targets = batch.targets().data();
  for (Index b = 0; b < plan.size(); ++b) {
    batch.assemble(*data, Split::train, plan[b]);
    EXPECT_EQ(batch.values().data(), patches);
    EXPECT_EQ(batch.targets().data(), targets);
  }
}

// Values of these examples, and whether assemble() had to write them.
struct Stands {
  std::vector<float> values;
  std::vector<std::int32_t> targets;
  bool written;
};
Stands assembled(Batch& batch, const Dataset& data, Split split,
                 const std::vector<Index>& examples) {
  // A mark that only a writer removes.
  constexpr float kMark = 12345;
  const View<const float> before = batch.values();
  float* first = before.size() > 0 ? const_cast<float*>(before.data()) : nullptr;
  const float kept = first ? *first : 0;
  if (first) *first = kMark;
  batch.assemble(data, split, examples);
  const bool written = !first || *batch.values().data() != kMark;
  if (!written) *first = kept;
  const View<const float> values = batch.values();
  const View<const std::int32_t> targets = batch.targets();
  return {{values.begin(), values.end()}, {targets.begin(), targets.end()}, written};
}

TEST(Batch, TheSameExamplesAreNotWrittenAgainButAnyOthersAre) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 1});
  const auto other = PhantomsOptions{}.open({.patch = 8, .seed = 2});
  Batch batch;
  const auto is = [&](const Dataset& from, Split split, const std::vector<Index>& examples,
                      bool written) {
    Batch fresh;
    const Stands here = assembled(batch, from, split, examples);
    const Stands alone = assembled(fresh, from, split, examples);
    EXPECT_EQ(here.values, alone.values);
    EXPECT_EQ(here.targets, alone.targets);
    EXPECT_EQ(here.written, written);
  };
  is(*data, Split::train, {5, 0, 17}, true);
  is(*data, Split::train, {5, 0, 17}, false);
  is(*data, Split::train, {5, 0}, true);
  is(*data, Split::train, {0, 5}, true);
  is(*data, Split::val, {0, 5}, true);
  is(*other, Split::val, {0, 5}, true);
  is(*data, Split::val, {0, 5}, true);
  is(*data, Split::val, {0, 5}, false);
  is(*data, Split::train, {0, 5}, true);
  AugmentOptions options;
  options.shift = 0.5;
  const Augmenter augmenter(options, 3);
  batch.assemble_augmented(*data->images(), std::vector<Index>{0, 5}, augmenter, 1);
  is(*data, Split::train, {0, 5}, true);
}

TEST(Batch, AfterOtherAnswersTheOwnAreWrittenAgain) {
  const auto data = TransductionOptions().open({.seed = 1});
  Batch batch;
  const std::vector<Index> examples{3, 1};
  const auto queries = [&] {
    batch.assemble(*data, Split::train, examples);
    const View<const std::int32_t> tokens = batch.query_tokens(), targets = batch.targets();
    std::vector<std::int32_t> all(tokens.begin(), tokens.end());
    all.insert(all.end(), targets.begin(), targets.end());
    return all;
  };
  const auto expected = queries();
  batch.ask(std::vector<std::vector<std::int32_t>>{{1, 2}, {}});
  EXPECT_EQ(batch.n_queries(), 4);
  EXPECT_EQ(queries(), expected);
}

TEST(Batch, NoExamplesMakeAnEmptyBatch) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 1});
  Batch batch;
  batch.assemble(*data, Split::train, {});
  EXPECT_EQ(batch.n_tokens(), 0);
  EXPECT_EQ(batch.rows().n_examples(), 0);
}

}  // namespace
}  // namespace attune
