// A warm training step asks the allocator for nothing. This program interposes the C allocator,
// which operator new calls too, and counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "kernels/parallel.h"
#include "tests/train/learner_fixture.h"

namespace {
std::atomic<long> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

void* malloc(std::size_t n) {
  ++allocations;
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  ++allocations;
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t n) {
  ++allocations;
  return __libc_realloc(p, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) {
  ++allocations;
  return __libc_memalign(alignment, n);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  ++allocations;
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
  for (const Pool pool : {Pool::mean, Pool::cls, Pool::attention}) {
    LearnerFixture fixture;
    fixture.options.model.pool = pool;
    kernels::Threads threads(1);
    threads.run([&] {
      Learner<float> learner(fixture.options, 2, 7);
      BatchSequence batches = fixture.batches(2000);
      Batch batch;
      batch.reserve(batches.packer().max_tokens(), batches.packer().max_examples(), 8);
      Index step = 0;
      for (; step < 12; ++step) {
        batch.assemble(*fixture.data, Split::train, batches.next());
        learner.step(batch, step);
      }
      const long before = allocations;
      for (; step < 30; ++step) {
        batch.assemble(*fixture.data, Split::train, batches.next());
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

}  // namespace
}  // namespace attune
