#include "datasets/batch.h"

#include <gtest/gtest.h>

#include "datasets/packer.h"
#include "datasets/phantoms.h"

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

TEST(Batch, NoExamplesMakeAnEmptyBatch) {
  const auto data = PhantomsOptions{}.open({.patch = 8, .seed = 1});
  Batch batch;
  batch.assemble(*data, Split::train, {});
  EXPECT_EQ(batch.n_tokens(), 0);
  EXPECT_EQ(batch.rows().n_examples(), 0);
}

}  // namespace
}  // namespace attune
