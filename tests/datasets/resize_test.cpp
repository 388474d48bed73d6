#include "datasets/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"

namespace attune {
namespace {

ResizeOptions at_most(Index tokens) {
  ResizeOptions options;
  options.max_tokens = tokens;
  return options;
}

struct Image {
  Image(Index h, Index w) : pixels(static_cast<std::size_t>(h * w)), view(pixels.data(), {h, w}) {}
  std::vector<float> pixels;
  View<float> view;
};

Image resized(const Image& in, Index h, Index w) {
  Image out(h, w);
  resize(in.view, out.view);
  return out;
}

TEST(PatchGrid, WithoutALimitItIsTheWholePatchesOfTheImage) {
  EXPECT_EQ(patch_grid(64, 48, 16, {}), (Grid{4, 3}));
  EXPECT_EQ(patch_grid(79, 63, 16, {}), (Grid{4, 3}));
}

// Pix2Struct by hand: 1024 × 512 at P = 16, N = 128: s = √(128 · 16/1024 · 16/512) = .25.
TEST(PatchGrid, FollowsPix2Struct) {
  EXPECT_EQ(patch_grid(1024, 512, 16, at_most(128)), (Grid{16, 8}));
  // s·h/P = √(N·h/w) is 5 exactly here; a root taken in floating point may fall short of it.
  EXPECT_EQ(patch_grid(160, 160, 16, at_most(25)), (Grid{5, 5}));
  EXPECT_EQ(patch_grid(483, 483, 7, at_most(49)), (Grid{7, 7}));
}

TEST(PatchGrid, NeverEnlarges) { EXPECT_EQ(patch_grid(50, 35, 16, at_most(1000)), (Grid{3, 2})); }

TEST(PatchGrid, ASideShorterThanAPatchIsOnePatch) {
  EXPECT_EQ(patch_grid(3, 40, 16, {}), (Grid{1, 2}));
  EXPECT_EQ(patch_grid(1, 1, 16, at_most(1)), (Grid{1, 1}));
}

TEST(PatchGrid, NoShapeExceedsTheLimitAndNoneIsEmpty) {
  for (const Index n : {1, 2, 7, 128})
    for (Index h = 1; h < 3000; h = h * 3 / 2 + 1)
      for (Index w = 1; w < 3000; w = w * 3 / 2 + 1) {
        const Grid g = patch_grid(h, w, 16, at_most(n));
        EXPECT_GE(g.rows, 1);
        EXPECT_GE(g.cols, 1);
        EXPECT_LE(g.rows * g.cols, n) << h << " x " << w;
      }
}

TEST(Resize, TheSameSizeIsTheSameImage) {
  Image in(5, 7);
  for (std::size_t i = 0; i < in.pixels.size(); ++i) in.pixels[i] = static_cast<float>(i * i);
  EXPECT_EQ(resized(in, 5, 7).pixels, in.pixels);
}

TEST(Resize, AConstantStaysConstant) {
  Image in(37, 91);
  for (float& x : in.pixels) x = 3.25F;
  for (const auto& [h, w] : {Grid{16, 32}, Grid{48, 16}, Grid{1, 1}, Grid{100, 200}})
    for (float x : resized(in, h, w).pixels) EXPECT_NEAR(x, 3.25F, 4e-6F);  // sums of weights round
}

// A symmetric filter reproduces a line wherever it is not cut off at a border.
TEST(Resize, ARampStaysARampAwayFromTheBorders) {
  Image in(8, 60);
  for (Index y = 0; y < 8; ++y)
    for (Index x = 0; x < 60; ++x) in.view(y, x) = (static_cast<float>(x) + 0.5F) / 60;
  for (const Index w : {20, 45, 90}) {
    const Image out = resized(in, 8, w);
    for (Index x = w / 8; x < w - w / 8; ++x)
      EXPECT_NEAR(out.view(3, x), (static_cast<float>(x) + 0.5F) / static_cast<float>(w), 2e-3F);
  }
}

// Halving with the triangle: pixel centres at ±½, ±3/2 of the output's, weights 3, 3, 1, 1 of 8.
TEST(Resize, HalvingIsTheTriangleMean) {
  Image in(1, 8);
  in.pixels = {0, 0, 0, 8, 0, 0, 0, 0};
  const Image out = resized(in, 1, 4);
  EXPECT_FLOAT_EQ(out.pixels[1], 3);
  EXPECT_FLOAT_EQ(out.pixels[2], 1);
  EXPECT_FLOAT_EQ(out.pixels[3], 0);
}

// A checkerboard at the pixel's frequency must become gray, not another checkerboard.
TEST(Resize, ShrinkingDoesNotAlias) {
  Image in(64, 64);
  for (Index y = 0; y < 64; ++y)
    for (Index x = 0; x < 64; ++x) in.view(y, x) = static_cast<float>((x + y) % 2);
  const Image out = resized(in, 21, 21);
  for (Index y = 2; y < 19; ++y)
    for (Index x = 2; x < 19; ++x) EXPECT_NEAR(out.view(y, x), 0.5F, 0.03F);
}

TEST(Resize, RowsAndColumnsAreTreatedAlike) {
  const Stream stream(1, "test", "resize");
  Image in(13, 29), turned(29, 13);
  for (Index y = 0; y < 13; ++y)
    for (Index x = 0; x < 29; ++x)
      turned.view(x, y) = in.view(y, x) =
          static_cast<float>(stream.uniform(static_cast<std::uint64_t>(y * 29 + x)));
  const Image a = resized(in, 8, 16), b = resized(turned, 16, 8);
  for (Index y = 0; y < 8; ++y)
    for (Index x = 0; x < 16; ++x) EXPECT_NEAR(a.view(y, x), b.view(x, y), 1e-6F);
}

TEST(CutPatches, PatchesAreInRasterOrderAndRowMajor) {
  Image in(4, 6);
  for (std::size_t i = 0; i < in.pixels.size(); ++i) in.pixels[i] = static_cast<float>(i);
  std::vector<float> out(24);
  cut_patches(in.view, 2, 0, 1, out.data());
  const std::vector<float> first = {0, 1, 6, 7}, second = {2, 3, 8, 9}, fourth = {12, 13, 18, 19};
  EXPECT_EQ(std::vector<float>(out.begin(), out.begin() + 4), first);
  EXPECT_EQ(std::vector<float>(out.begin() + 4, out.begin() + 8), second);
  EXPECT_EQ(std::vector<float>(out.begin() + 12, out.begin() + 16), fourth);
}

TEST(CutPatches, CentreAndScaleApplyToEveryValue) {
  Image in(2, 2);
  in.pixels = {0, 0.5F, 1, 0.25F};
  std::vector<float> out(4);
  cut_patches(in.view, 2, 0.5F, 4, out.data());
  EXPECT_EQ(out, (std::vector<float>{-2, 0, 2, -1}));
}

}  // namespace
}  // namespace attune
