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

constexpr ResizeOptions::Policy kPolicies[] = {
    ResizeOptions::Policy::native, ResizeOptions::Policy::stretch, ResizeOptions::Policy::crop,
    ResizeOptions::Policy::pad};
using enum ResizeOptions::Policy;

ResizeOptions square_of(ResizeOptions::Policy policy, Index tokens) {
  ResizeOptions options = at_most(tokens);
  options.policy = policy;
  return options;
}

Image fitted(const Image& in, ResizeOptions::Policy policy, Index side, float black = 0) {
  Image out(side, side);
  fit_to_grid(in.view, policy, black, out.view);
  return out;
}

// f of the pixel's centre (x, y), in pixels.
template <class F>
Image painted(Index h, Index w, const F& f) {
  Image image(h, w);
  for (Index y = 0; y < h; ++y)
    for (Index x = 0; x < w; ++x)
      image.view(y, x) =
          static_cast<float>(f(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5));
  return image;
}

TEST(Policies, NoneExceedsTheBudgetWhateverTheImage) {
  const Grid images[] = {{1, 5000}, {5000, 1}, {1, 1}, {3, 3000}, {640, 480}};
  for (const auto policy : kPolicies)
    for (const Index n : {1, 2, 3, 128, 200})
      for (const auto& [h, w] : images) {
        const Grid g = patch_grid(h, w, 4, square_of(policy, n));
        ASSERT_GE(std::min(g.rows, g.cols), 1);
        ASSERT_LE(g.rows * g.cols, n);
        Image out(4 * g.rows, 4 * g.cols);
        fit_to_grid(painted(h, w, [](double, double) { return 1; }).view, policy, 0, out.view);
        for (const float x : out.pixels) ASSERT_TRUE(x >= 0 && x <= 1.00001F);
      }
}

TEST(Policies, AllButNativeGiveOneSquareAsLargeAsTheBudgetAllows) {
  for (const auto policy : {stretch, crop, pad}) {
    EXPECT_EQ(patch_grid(30, 2000, 16, square_of(policy, 128)), (Grid{11, 11}));
    EXPECT_EQ(patch_grid(9, 9, 16, square_of(policy, 144)), (Grid{12, 12}));  // enlarged
  }
}

TEST(Policies, ASquareOfUnknownSizeIsAConfigError) {
  ResizeOptions options;
  options.policy = crop;
  EXPECT_THROW(patch_grid(30, 40, 16, options), ConfigError);
  FieldList list;
  options.fields(list);
  ASSERT_EQ(list.rules().size(), 1U);
  const auto complaint = list.rules()[0]();
  ASSERT_TRUE(complaint);
  EXPECT_EQ(complaint->key, "policy");
  EXPECT_NE(complaint->message.find("policy=crop"), std::string::npos);
  options.max_tokens = 9;
  EXPECT_FALSE(list.rules()[0]());
  options = {};
  EXPECT_FALSE(list.rules()[0]());
}

TEST(Policies, AConstantStaysConstant) {
  const Image in = painted(37, 91, [](double, double) { return 3.25; });
  for (const auto policy : kPolicies)
    for (const float x : fitted(in, policy, 24, 3.25F).pixels) EXPECT_NEAR(x, 3.25F, 4e-6F);
}

// What the antialiasing triangle says of the ramp f(x) = x at a place, by its definition: pixels n
// of centre n + ½ weigh 1 − |n + ½ − place|/radius, the radius is one output pixel, or one input
// pixel where the output is finer.
double triangle_of_ramp(double place, double pitch) {
  const double radius = std::max(1.0, pitch);
  double sum = 0, weights = 0;
  const auto first = static_cast<Index>(std::floor(place - radius)) - 1;
  for (Index n = first; static_cast<double>(n) < place + radius; ++n) {
    const double centre = static_cast<double>(n) + 0.5;
    const double weight = std::max(0.0, 1 - std::abs(centre - place) / radius);
    sum += weight * centre, weights += weight;
  }
  return sum / weights;
}

// f(x) = x: an output pixel reads the place in the image that geometry gives its centre.
TEST(Policies, ARampIsReadWhereGeometrySays) {
  constexpr Index kSide = 32;
  const auto expect_ramp = [](const Image& out, Index y, Index from, Index to, double left,
                              double pitch) {
    for (Index x = from; x < to; ++x) {
      const double place = left + (static_cast<double>(x) + 0.5) * pitch;
      EXPECT_NEAR(out.view(y, x), triangle_of_ramp(place, pitch), 2e-5) << x;
    }
  };
  for (const Index w : {12, 50, 96}) {  // h = 48 is the shorter or the longer side
    const Index h = 48, shorter = std::min(h, w), longer = std::max(h, w);
    const Image in = painted(h, w, [](double x, double) { return x; });
    const double width = static_cast<double>(w);
    expect_ramp(fitted(in, stretch, kSide), kSide / 2, 4, 28, 0, width / kSide);
    const Index left = (w - shorter) / 2;
    expect_ramp(fitted(in, crop, kSide), kSide / 2, 4, 28, static_cast<double>(left),
                static_cast<double>(shorter) / kSide);
    const double pitch = static_cast<double>(longer) / kSide;
    const auto inner = static_cast<Index>(width / pitch + 0.5);  // columns that hold the image
    const Index margin = (kSide - inner) / 2;
    expect_ramp(fitted(in, pad, kSide), kSide / 2, margin + 2, margin + inner - 2,
                -static_cast<double>(margin) * width / static_cast<double>(inner),
                width / static_cast<double>(inner));
  }
}

// One bright column or row at a time: the middle square is seen, what lies outside is gone.
TEST(Policies, CropLosesExactlyWhatLiesOutsideTheMiddleSquare) {
  for (const auto& [h, w] : {Grid{20, 51}, Grid{20, 50}, Grid{51, 20}, Grid{7, 7}}) {
    const Index side = std::min(h, w), first = (std::max(h, w) - side) / 2;
    for (Index bright = 0; bright < std::max(h, w); ++bright) {
      const Image in = painted(h, w, [&, wide = w > h](double x, double y) {
        return static_cast<Index>(wide ? x : y) == bright;
      });
      float most = 0;
      for (const float x : fitted(in, crop, 16).pixels) most = std::max(most, x);
      EXPECT_EQ(most > 0, bright >= first && bright < first + side) << bright;
    }
  }
}

TEST(Policies, PadKeepsTheAspectRatioToAPixelInTheMiddle) {
  constexpr Index kSide = 48;
  for (const auto& [h, w] : {Grid{30, 70}, Grid{70, 30}, Grid{500, 499}, Grid{1, 90}, Grid{5, 5}}) {
    const Image out = fitted(painted(h, w, [](double, double) { return 1; }), pad, kSide);
    Index top = kSide, bottom = -1, left = kSide, right = -1;
    for (Index y = 0; y < kSide; ++y)
      for (Index x = 0; x < kSide; ++x) {
        if (out.view(y, x) < 0.5F) continue;
        top = std::min(top, y), bottom = std::max(bottom, y);
        left = std::min(left, x), right = std::max(right, x);
      }
    const double scale = static_cast<double>(kSide) / static_cast<double>(std::max(h, w));
    EXPECT_NEAR(static_cast<double>(bottom - top + 1),
                std::max(1.0, static_cast<double>(h) * scale), 0.5);
    EXPECT_NEAR(static_cast<double>(right - left + 1),
                std::max(1.0, static_cast<double>(w) * scale), 0.5);
    EXPECT_LE(std::abs(top - (kSide - 1 - bottom)), 1);
    EXPECT_LE(std::abs(left - (kSide - 1 - right)), 1);
  }
}

TEST(Policies, PadsBordersAreBlack) {
  const Image out = fitted(painted(10, 40, [](double, double) { return 5; }), pad, 16, -1000);
  for (Index x = 0; x < 16; ++x) {
    EXPECT_EQ(out.view(0, x), -1000);
    EXPECT_EQ(out.view(15, x), -1000);
    EXPECT_NEAR(out.view(8, x), 5, 1e-5F);
  }
}

// A disc of radius r has variance r²/4 along each axis; an axis scaled by a has a² of it, and the
// filter, a triangle as wide as two output pixels, adds 1/6.
TEST(Policies, StretchMakesACircleAnEllipse) {
  const Index h = 120, w = 300, side = 60;
  const double radius = 40;
  const Image out = fitted(
      painted(h, w, [&](double x, double y) { return std::hypot(x - 140, y - 61) < radius; }),
      stretch, side);
  double mass = 0, mx = 0, my = 0, xx = 0, yy = 0;
  for (Index y = 0; y < side; ++y)
    for (Index x = 0; x < side; ++x) {
      const double v = static_cast<double>(out.view(y, x)), fx = static_cast<double>(x) + 0.5,
                   fy = static_cast<double>(y) + 0.5;
      mass += v, mx += v * fx, my += v * fy, xx += v * fx * fx, yy += v * fy * fy;
    }
  mx /= mass, my /= mass;
  EXPECT_NEAR(mx, 140 * 60.0 / 300, 0.05);
  EXPECT_NEAR(my, 61 * 60.0 / 120, 0.05);
  const double variance = radius * radius / 4;
  EXPECT_NEAR(xx / mass - mx * mx, variance * 0.2 * 0.2 + 1.0 / 6, 0.01 * variance * 0.2 * 0.2);
  EXPECT_NEAR(yy / mass - my * my, variance * 0.5 * 0.5 + 1.0 / 6, 0.01 * variance * 0.5 * 0.5);
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
