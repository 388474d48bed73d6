#include "train/learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <set>
#include <thread>

#include "kernels/attention/parts.h"
#include "kernels/parallel.h"
#include "tests/train/learner_fixture.h"

namespace attune {
namespace {

template <class Real>
bool same_bits(View<const Real> a, View<const Real> b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0;
}

// Every kernel of a step (and of the initialisation) that is written to be shared out. None copies
// the gradient of a residual stream, which is handed on.
const std::set<std::string> kSplit = {"adam",
                                      "attention",
                                      "attention_backward",
                                      "dropout_backward",
                                      "dropout_residual",
                                      "feed_forward",
                                      "feed_forward_backward",
                                      "fill_uniform",
                                      "grid_positions",
                                      "layer_norm",
                                      "layer_norm_backward",
                                      "linear",
                                      "linear_backward_input",
                                      "linear_backward_weight",
                                      "mean_pool",
                                      "mean_pool_backward",
                                      "scale",
                                      "squared_norm"};

struct Trained {
  std::vector<float> values;
  std::vector<double> losses;
  std::set<std::string> split;
};

// What happens to the gradients before the update; nothing, unless a fault is planted.
using Fault = std::function<void(View<float> grads, int n_threads)>;

Trained trained(int n_threads, int n_steps, const VitOptions* model = nullptr,
                const Fault& fault = {}) {
  LearnerFixture fixture;
  if (model) fixture.model = *model;
  kernels::Threads threads(n_threads);
  Trained result;
  threads.run([&] {
    Learner<float> learner(fixture.learner(), fixture.data->spec(), 7);
    BatchSequence batches = fixture.batches(4500);
    Batch batch;
    for (int step = 0; step < n_steps; ++step) {
      batch.assemble(*fixture.data, Split::train, batches.next());
      auto done = learner.differentiate(batch, step);
      if (fault) fault(learner.grads(), n_threads);
      learner.update(step, done);
      result.losses.push_back(done.loss);
    }
    result.values.assign(learner.values().begin(), learner.values().end());
  });
  for (const auto& [kernel, count] : threads.splits())
    if (count > 0) result.split.insert(kernel);
  return result;
}

// The promise of the house, over fifty steps with dropout, clipping and interpolated positions on;
// it means something only if the kernels did run in parallel, which the pool counts.
TEST(Learner, HasTheSameBitsOnOneTwoAndFourThreads) {
  const Trained one = trained(1, 50), two = trained(2, 50), four = trained(4, 50);
  EXPECT_TRUE(one.split.empty());
  EXPECT_EQ(one.values, two.values);
  EXPECT_EQ(one.values, four.values);
  EXPECT_EQ(one.losses, two.losses);
  EXPECT_EQ(one.losses, four.losses);
  EXPECT_EQ(two.split, four.split);
  EXPECT_EQ(two.split, kSplit);
}

// The layers that the model above does not have, in two models that have the rest.
TEST(Learner, OtherLayersHaveTheSameBitsOnOneTwoAndFourThreadsToo) {
  VitOptions a = LearnerFixture().model, b = a;
  a.pool = Pool::cls;
  a.norm = NormPlacement::sandwich;
  a.norm_kind = NormKind::rms;
  a.position = Position::learned;
  a.attention.pattern = AttentionPattern::causal;
  b.pool = Pool::attention;
  b.norm = NormPlacement::post;
  std::set<std::string> split;
  for (const VitOptions& model : {a, b}) {
    const Trained one = trained(1, 8, &model);
    for (const int n_threads : {2, 4}) {
      const Trained more = trained(n_threads, 8, &model);
      EXPECT_EQ(one.values, more.values) << n_threads;
      EXPECT_EQ(one.losses, more.losses) << n_threads;
      split.insert(more.split.begin(), more.split.end());
    }
  }
  for (const char* kernel : {"rms_norm", "rms_norm_backward", "sequence_positions", "insert_cls",
                             "insert_cls_backward", "attention_pool", "attention_pool_backward"})
    EXPECT_TRUE(split.contains(kernel)) << kernel;
}

// That fifty steps' bits would show it: a sum over all gradients in the order in which blocks
// arrive, added to one of them. Block 0 waits for two others, else the order might be the serial
// one.
TEST(Learner, APlantedUnorderedSumChangesTheBitsOfFiftySteps) {
  const Fault fault = [](View<float> grads, int n_threads) {
    std::atomic<float> sum = 0;
    std::atomic<int> added = 0;
    kernels::parallel_ranges("planted", grads.size(), 1024, 1e9, [&](Index begin, Index end) {
      float part = 0;
      for (Index i = begin; i < end; ++i) part += grads[i];
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
      while (n_threads > 1 && begin == 0 && added < 2 &&
             std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
      sum = sum + part;
      ++added;
    });
    grads[0] += sum;
  };
  EXPECT_NE(trained(1, 50, nullptr, fault).values, trained(2, 50, nullptr, fault).values);
}

TEST(Learner, AnotherSeedGivesOtherNumbers) {
  LearnerFixture fixture;
  Learner<float> a(fixture.learner(), fixture.data->spec(), 1),
      b(fixture.learner(), fixture.data->spec(), 2);
  EXPECT_FALSE(same_bits<float>(a.values(), b.values()));
}

// Two learners that take turns know nothing of each other (dynet's global graph forbade this).
TEST(Learner, TwoInOneProcessAreAsTheyAreAlone) {
  const Trained alone = trained(1, 6);
  LearnerFixture fixture;
  Learner<float> a(fixture.learner(), fixture.data->spec(), 7),
      b(fixture.learner(), fixture.data->spec(), 8);
  BatchSequence for_a = fixture.batches(4500), for_b = fixture.batches(1111);
  Batch batch;
  for (int step = 0; step < 6; ++step) {
    batch.assemble(*fixture.data, Split::train, for_a.next());
    EXPECT_EQ(a.step(batch, step).loss, alone.losses[static_cast<std::size_t>(step)]);
    batch.assemble(*fixture.data, Split::train, for_b.next());
    b.step(batch, step);
  }
}

// Every image's logits have the bits that they have alone, wherever it lies in whatever pack: the
// whole model, pointwise ops and head included. The packs begin at odd offsets, and no width is a
// multiple of a vector, so that an element's lane, and who works on tails, differ from pack to
// pack.
TEST(Learner, LogitsOfAnImageDoNotDependOnThePack) {
  for (const Pool pool : {Pool::mean, Pool::cls, Pool::attention, Pool::pma}) {
    LearnerFixture fixture(20);
    fixture.model.mlp_ratio = 1.85;  // 37 wide
    fixture.model.pool = pool;
    Learner<float> learner(fixture.learner(), fixture.data->spec(), 3);
    Batch batch;
    std::vector<std::vector<float>> alone;
    for (Index i = 0; i < 40; ++i) {
      const Index one[] = {i};
      batch.assemble(*fixture.data, Split::val, one);
      const auto logits = learner.evaluate(batch);
      alone.emplace_back(logits.begin(), logits.end());
    }
    const std::vector<std::vector<Index>> packs = {
        {0, 1, 2, 3, 4, 5, 6}, {9, 3, 17, 2}, {39, 11, 5, 23, 0, 31, 8, 19, 2, 7, 16}, {30, 12}};
    Index odd_offsets = 0, odd_packs = 0;
    for (const auto& pack : packs) {
      batch.assemble(*fixture.data, Split::val, pack);
      for (const std::int32_t offset : batch.rows().offsets) odd_offsets += offset % 8 != 0;
      odd_packs += batch.rows().n_rows() % 2;
      const auto logits = learner.evaluate(batch);
      for (std::size_t e = 0; e < pack.size(); ++e) {
        const auto& expected = alone[static_cast<std::size_t>(pack[e])];
        EXPECT_EQ(0, std::memcmp(logits.row(static_cast<Index>(e)), expected.data(),
                                 expected.size() * sizeof(float)))
            << "image " << pack[e];
      }
    }
    EXPECT_GT(odd_offsets, 8);
    EXPECT_GE(odd_packs, 3);
  }
}

// Masks are keyed by logical coordinates: with dropout on, a gradient step on {a, b} equals one on
// {b, a} up to the order of sums, because no mask moves with the pack.
TEST(Learner, DropoutMasksDoNotMoveWithThePack) {
  LearnerFixture fixture(24);
  Learner<double> learner(fixture.learner(), fixture.data->spec(), 3);
  Batch batch;
  const Index ab[] = {4, 9, 1}, ba[] = {1, 4, 9};
  batch.assemble(*fixture.data, Split::train, ab);
  const double first = learner.differentiate(batch, 11).loss;
  const std::vector<double> grads(learner.grads().begin(), learner.grads().end());
  batch.assemble(*fixture.data, Split::train, ba);
  EXPECT_NEAR(learner.differentiate(batch, 11).loss, first, 1e-13);
  for (std::size_t i = 0; i < grads.size(); ++i)
    ASSERT_NEAR(learner.grads()[static_cast<Index>(i)], grads[i], 1e-13);
  EXPECT_NE(learner.differentiate(batch, 12).loss, first);  // another step, other masks
}

// What PyTorch once forgot (its issue 41951): a parameter that is used but not trained.
TEST(Learner, EveryRegisteredParameterMovesInOneStep) {
  for (const NormPlacement norm : {NormPlacement::pre, NormPlacement::post, NormPlacement::res_post,
                                   NormPlacement::sandwich}) {
    LearnerFixture fixture(16, 0.0);
    fixture.model.norm = norm;
    fixture.model.pool = Pool::attention;
    Learner<float> learner(fixture.learner(), fixture.data->spec(), 3);
    const std::vector<float> before(learner.values().begin(), learner.values().end());
    BatchSequence batches = fixture.batches(2000);
    Batch batch;
    batch.assemble(*fixture.data, Split::train, batches.next());
    learner.step(batch, 0);
    for (const ParameterId id : learner.registry().by_name()) {
      const std::string& name = learner.registry()[id].name;
      // A softmax does not see what is added to all its scores.
      if (name.ends_with(".bk") || name == "pool.bias") continue;
      const auto now = learner.value(id);
      const float* was = before.data() + (now.data() - learner.values().data());
      EXPECT_NE(0,
                std::memcmp(now.data(), was, static_cast<std::size_t>(now.size()) * sizeof(float)))
          << name;
    }
  }
}

// Float against its double twin from the same parameters: bounded by rounding, ~100 ulp of the
// largest gradient through two blocks.
TEST(Learner, FloatFollowsDouble) {
  LearnerFixture fixture(32);
  Learner<float> single(fixture.learner(), fixture.data->spec(), 3);
  Learner<double> twin(fixture.learner(), fixture.data->spec(), 3);
  for (Index i = 0; i < single.values().size(); ++i) twin.values()[i] = single.values()[i];
  BatchSequence batches = fixture.batches(1500);
  Batch batch;
  batch.assemble(*fixture.data, Split::train, batches.next());
  const double a = single.differentiate(batch, 0).loss, b = twin.differentiate(batch, 0).loss;
  EXPECT_NEAR(a, b, 1e-6 * std::abs(b));
  double largest = 0, difference = 0;
  for (Index i = 0; i < single.grads().size(); ++i) {
    largest = std::max(largest, std::abs(twin.grads()[i]));
    difference =
        std::max(difference, std::abs(twin.grads()[i] - static_cast<double>(single.grads()[i])));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LT(difference, 1e-5 * largest);
}

// The whole model's gradient, through every layer at once, against a directional difference.
TEST(Learner, TheWholeModelsGradientIsTheSlopeOfItsLoss) {
  LearnerFixture fixture(16);
  Learner<double> learner(fixture.learner(), fixture.data->spec(), 5);
  BatchSequence batches = fixture.batches(600);
  Batch batch;
  batch.assemble(*fixture.data, Split::train, batches.next());
  learner.differentiate(batch, 2);
  const std::vector<double> grads(learner.grads().begin(), learner.grads().end());
  const std::vector<double> values(learner.values().begin(), learner.values().end());
  const Stream stream(1, "check", "direction");
  double slope = 0;
  std::vector<double> direction(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    direction[i] = 2 * stream.uniform(i) - 1;
    slope += direction[i] * grads[i];
  }
  const auto loss_at = [&](double h) {
    for (std::size_t i = 0; i < values.size(); ++i)
      learner.values()[static_cast<Index>(i)] = values[i] + h * direction[i];
    return learner.differentiate(batch, 2).loss;
  };
  const double h = 1e-5;
  EXPECT_NEAR((loss_at(h) - loss_at(-h)) / (2 * h), slope, 1e-6 * std::abs(slope));
}

TEST(Learner, LearnsWhatItIsShown) {
  LearnerFixture fixture(32, 0.0);
  fixture.options.optim.adamw.lr = 3e-3;
  Learner<float> learner(fixture.learner(), fixture.data->spec(), 3);
  Batch batch;
  std::vector<Index> few{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  batch.assemble(*fixture.data, Split::train, few);
  double loss = 1;
  for (Index step = 0; step < 50; ++step) loss = learner.step(batch, step).loss;
  EXPECT_LT(loss, 0.1);
}

}  // namespace
}  // namespace attune
