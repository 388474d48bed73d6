#include "tensor/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace attune {
namespace {

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % Arena::kAlignment == 0; }

TEST(Arena, EveryAllocationIsAlignedAndApartFromTheOthers) {
  Arena arena;
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t bytes : {1, 63, 64, 65, 1000, 0, 3'000'000, 7}) {
    auto* p = arena.allocate<unsigned char>(bytes);
    EXPECT_TRUE(aligned(p));
    std::memset(p, static_cast<int>(blocks.size() + 1), bytes);
    blocks.emplace_back(p, bytes);
  }
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    for (std::size_t i = 0; i < blocks[b].second; ++i) {
      ASSERT_EQ(blocks[b].first[i], b + 1) << "block " << b << " was overwritten";
    }
  }
}

TEST(Arena, NothingAtAllStillHasAnAddress) {
  Arena arena;
  EXPECT_NE(arena.allocate<float>(0), nullptr);
  const auto view = arena.view<float>({0, 5});
  EXPECT_TRUE(static_cast<bool>(view));
  EXPECT_EQ(view.size(), 0);
}

TEST(Arena, ZerosAreZeroEvenInMemoryThatWasUsed) {
  Arena arena(4096);
  for (float& x : arena.view<float>({100})) x = 7;
  arena.reset();
  for (float x : arena.zeros<float>({10, 10})) EXPECT_EQ(x, 0.0F);
}

TEST(Arena, AfterAStepThatOutgrewItOneSlabHoldsTheNext) {
  Arena arena;
  const auto step = [&] {
    for (int i = 0; i < 40; ++i) arena.allocate<float>(100'000);
  };
  step();
  arena.reset();
  const std::size_t capacity = arena.capacity();
  EXPECT_GE(capacity, 40u * 100'000 * sizeof(float));
  auto* first = arena.allocate<float>(1);
  arena.reset();
  for (int repeat = 0; repeat < 3; ++repeat) {
    step();
    EXPECT_EQ(arena.capacity(), capacity) << "a warm step took more memory";
    arena.reset();
    EXPECT_EQ(arena.allocate<float>(1), first) << "the slab moved";
    arena.reset();
  }
}

TEST(Arena, RewindingForgetsWhatCameAfterTheMarkAndNothingElse) {
  Arena arena(4096);
  auto* kept = arena.allocate<int>(4);
  kept[3] = 42;
  const auto mark = arena.mark();
  auto* gone = arena.allocate<int>(10);
  arena.allocate<int>(1'000'000);  // in another slab
  arena.rewind(mark);
  EXPECT_EQ(kept[3], 42);
  EXPECT_EQ(arena.allocate<int>(10), gone);
}

TEST(Arena, TheHighWaterMarkIsTheMostEverInUse) {
  Arena arena;
  arena.allocate<char>(640);
  arena.reset();
  arena.allocate<char>(64);
  EXPECT_EQ(arena.high_water(), 640u);
}

TEST(Scratch, NestsAndGivesItsMemoryBack) {
  float* first = nullptr;
  {
    Scratch outer;
    first = outer.allocate<float>(100);
    first[0] = 1;
    for (int i = 0; i < 3; ++i) {
      Scratch inner;
      inner.allocate<float>(3'000'000)[0] = 2;
    }
    EXPECT_EQ(first[0], 1.0F);
  }
  Scratch again;
  float* warm = again.allocate<float>(3'000'100);
  EXPECT_TRUE(aligned(warm));
}

TEST(Scratch, EveryThreadHasItsOwn) {
  Scratch here;
  float* mine = here.allocate<float>(16);
  float* theirs = nullptr;
  std::thread([&] {
    Scratch there;
    theirs = there.allocate<float>(16);
  }).join();
  EXPECT_NE(mine, theirs);
}

TEST(View, KnowsItsShapeAndReadsRowMajor) {
  std::vector<int> values = {0, 1, 2, 3, 4, 5};
  const View<int> v(values.data(), {2, 3});
  EXPECT_EQ(v(1, 0), 3);
  EXPECT_EQ(v.row(1), values.data() + 3);
  EXPECT_EQ(v.reshaped({3, 2})(1, 1), 3);
  EXPECT_THROW(v.reshaped({4, 2}), ShapeError);
  const View<const int> reads = v;
  EXPECT_EQ(reads.size(), 6);
  EXPECT_FALSE(static_cast<bool>(View<int>()));
  EXPECT_EQ(View<int>().size(), 0);
}

TEST(Shape, RefusesNegativeDimensionsAndRanksAboveFour) {
  EXPECT_THROW((Shape{2, -1}), ShapeError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1}), ShapeError);
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ((Shape{3, 0, 5}).size(), 0);
  EXPECT_EQ((Shape{3, 64}).text(), "[3, 64]");
}

}  // namespace
}  // namespace attune
