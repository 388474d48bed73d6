// A warm training step asks the allocator for nothing, and attention never for n² of anything. This
// program interposes the C allocator, which operator new calls too, and counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>
#include <vector>

#include "datasets/transduction.h"
#include "kernels/attention/parts.h"
#include "kernels/parallel.h"
#include "nn/gru_model.h"
#include "tests/train/learner_fixture.h"

namespace {
std::atomic<long> allocations{0}, bytes{0};

void count(std::size_t n) {
  ++allocations;
  bytes += static_cast<long>(n);
}
}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) {
  count(n);
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  count(n * size);
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  count(n);
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  count(n);
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  count(n);
  *p = __libc_memalign(alignment, n);
  return *p ? 0 : ENOMEM;
}
}

namespace attune {
namespace {

TEST(WarmStep, TheCounterSeesNewAndAlignedNew) {
  const long before = allocations;
  int* volatile plain = new int(1);  // volatile, or the pair would be optimised away
  void* volatile aligned = ::operator new (64, std::align_val_t{64});
  delete plain;
  ::operator delete (aligned, std::align_val_t{64});
  EXPECT_EQ(allocations - before, 2);
}

// One epoch has seen every batch size; in the following ones nothing is larger than before.
TEST(WarmStep, AllocatesNothing) {
  for (const Pool pool : {Pool::mean, Pool::cls, Pool::attention, Pool::pma}) {
    LearnerFixture fixture;
    fixture.model.pool = pool;
    kernels::Threads threads(1);
    threads.run([&] {
      Learner<float> learner(fixture.learner(), fixture.data->spec(), 7);
      BatchSequence batches = fixture.batches(2000);
      const ImageDataset& images = *fixture.data->images();
      Batch batch;
      batch.reserve(*fixture.data, batches.packer().max_tokens(), batches.packer().max_examples());
      const Augmenter augmenter({.flip = true, .shift = 0.1}, 7);
      Index step = 0;
      for (; step < 12; ++step) {
        batch.assemble_augmented(images, batches.next(), augmenter, step);
        learner.step(batch, step);
      }
      const long before = allocations;
      for (; step < 30; ++step) {
        batch.assemble_augmented(images, batches.next(), augmenter, step);
        learner.step(batch, step);
      }
      EXPECT_EQ(allocations - before, 0);
      batch.assemble(*fixture.data, Split::val, std::vector<Index>{1, 2, 3});
      learner.evaluate(batch);
      const long then = allocations;
      learner.evaluate(batch);
      EXPECT_EQ(allocations - then, 0);
    });
  }
}

// Nor do models that decode one sequence from another, step by step or at once.
TEST(WarmStep, OfTwoSequencesAllocatesNothing) {
  TransductionOptions copies;
  copies.n_train = 60;
  const auto data = copies.open({16, 3});
  for (const std::string kind : {"encoder_decoder", "gru"}) {
    ModelConfig model;
    static_cast<GruModelOptions&>(model.find("gru")).bridge = GruBridge::attention;
    kernels::Threads threads(1);
    threads.run([&] {
      LearnerFixture fixture;
      LearnerOptions options = fixture.learner();
      options.model = &model.find(kind);
      Learner<float> learner(options, data->spec(), 7);
      BatchSequence batches(Packer(data->lengths(Split::train), {300, 0}, 0));
      Batch batch;
      batch.reserve(*data, batches.packer().max_tokens(), batches.packer().max_examples());
      Index step = 0;
      const auto one = [&] {
        batch.assemble(*data, Split::train, batches.next());
        learner.step(batch, step++);
      };
      while (step < 24) one();
      const long before = allocations;
      while (step < 48) one();
      EXPECT_EQ(allocations - before, 0) << kind;
    });
  }
}

// All that attention over one sequence of n rows asks for, forward and backward, on a thread whose
// scratch is new: values, gradients and scratch together.
long attention_bytes(Index n, AttentionPattern pattern) {
  long asked = 0;
  std::thread([&] {
    const Index d = 8;
    std::vector<float> x(static_cast<std::size_t>(n * d), 0.5F), g(x);
    const std::vector<std::int32_t> offsets{0, static_cast<std::int32_t>(n)}, id{3};
    const View<const std::int32_t> bounds(offsets.data(), {2}), example(id.data(), {1});
    AttentionOptions options;
    options.pattern = pattern;
    options.dropout = {0.1, 7, 1};
    const long before = bytes;
    Arena arena;
    Tape<float> tape(arena);
    const Var v = tape.parameter({x.data(), {n, d}}, {g.data(), {n, d}});
    const Var y = attention(tape, v, v, v, bounds, bounds, example, options);
    const Tape<float>::Seed seed{y, View<const float>(x.data(), {n, d})};
    tape.backward(std::span(&seed, 1));
    asked = bytes - before;
  }).join();
  return asked;
}

// Four times the rows, four times the memory at most (slabs are whole megabytes); all of it is less
// than a bit for each of the n² scores.
TEST(AttentionMemory, GrowsWithTheLengthNotWithItsSquare) {
  for (const auto pattern : {AttentionPattern::full, AttentionPattern::causal}) {
    const long few = attention_bytes(2048, pattern), many = attention_bytes(8192, pattern);
    EXPECT_GT(few, 0);
    EXPECT_LE(many, 4 * few);
    EXPECT_LT(many, 8192L * 8192L / 8);
  }
}

}  // namespace
}  // namespace attune
