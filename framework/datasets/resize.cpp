#include "datasets/resize.h"

#include <algorithm>
#include <cmath>

#include "tensor/arena.h"

namespace attune {
namespace {

// The pixels that one output pixel is a mean of, along one axis: first … first + count − 1.
struct Taps {
  Index first, count;
};

// Input pixels under the triangle, whose base is two pitches wide.
Index max_taps(Index n_in, Index n_out) { return 2 * ((n_in + n_out - 1) / n_out) + 1; }

// Weights of n_out pixels out of n_in, normalised; weights [n_out, max_taps].
void triangle_filter(Index n_in, Index n_out, View<Taps> taps, View<float> weights) {
  const double pitch = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double support = std::max(pitch, 1.0);
  for (Index o = 0; o < n_out; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * pitch;
    const Index first = std::max(Index{0}, static_cast<Index>(centre - support + 0.5));
    const Index last = std::min(n_in, static_cast<Index>(centre + support + 0.5));
    const Index count = std::min(last - first, weights.dim(1));
    double sum = 0;
    const auto weight = [&](Index k) {
      const double distance = std::abs(static_cast<double>(first + k) + 0.5 - centre) / support;
      return std::max(0.0, 1.0 - distance);
    };
    for (Index k = 0; k < count; ++k) sum += weight(k);
    for (Index k = 0; k < count; ++k) weights(o, k) = static_cast<float>(weight(k) / sum);
    taps[o] = {first, count};
  }
}

// ⌊√n⌋
Index integer_sqrt(Index n) {
  auto root = static_cast<Index>(std::sqrt(static_cast<double>(n)));
  while (root * root > n) --root;
  while ((root + 1) * (root + 1) <= n) ++root;
  return root;
}

}  // namespace

void ResizeOptions::fields(FieldList& f) {
  static const std::vector<std::pair<std::string, Policy>> kPolicies = {
      {"native", Policy::native},
      {"stretch", Policy::stretch},
      {"crop", Policy::crop},
      {"pad", Policy::pad}};
  f.choice(
      "policy", policy, kPolicies, Role::result,
      "native keeps each image's aspect ratio to whole patches, both sides rounded down, which "
      "is coarse where max_tokens is small; stretch, crop and pad make every image the "
      "largest square within max_tokens: by distorting it, by cutting its longer side, by "
      "black borders");
  f.integer("max_tokens", max_tokens, {1, 65536}, Role::result,
            "most patches of one image, larger ones are reduced; null: no limit");
  f.rule([this]() -> std::optional<Complaint> {
    if (policy == Policy::native || max_tokens) return std::nullopt;
    return Complaint{"policy",
                     fmt::format("policy={} makes one square of every image, and max_tokens, which "
                                 "says how large it is, is null",
                                 kPolicies[static_cast<std::size_t>(policy)].first),
                     "set max_tokens, such as 144 for 12 x 12 patches",
                     {"max_tokens"}};
  });
}

Grid patch_grid(Index height, Index width, Index patch, const ResizeOptions& options) {
  if (options.policy != ResizeOptions::Policy::native) {
    ATTUNE_CHECK(options.max_tokens, ConfigError,
                 "resize.max_tokens must say how large the square is that resize.policy makes");
    const Index side = integer_sqrt(*options.max_tokens);
    return {side, side};
  }
  Grid grid{height / patch, width / patch};
  if (options.max_tokens) {
    // s·h/P = √(N · h/w), so its floor is an integer square root, exact on every machine.
    const Index n = *options.max_tokens;
    grid.rows = std::min(grid.rows, integer_sqrt(n * height / width));
    grid.cols = std::min(grid.cols, integer_sqrt(n * width / height));
  }
  grid = {std::max(Index{1}, grid.rows), std::max(Index{1}, grid.cols)};
  if (options.max_tokens && grid.rows == 1) grid.cols = std::min(grid.cols, *options.max_tokens);
  if (options.max_tokens && grid.cols == 1) grid.rows = std::min(grid.rows, *options.max_tokens);
  return grid;
}

void resize(View<const float> in, View<float> out) {
  const Index h = in.dim(0), w = in.dim(1), h_out = out.dim(0), w_out = out.dim(1);
  ATTUNE_CHECK(h > 0 && w > 0 && h_out > 0 && w_out > 0, ShapeError,
               "[resize] {} to {}: every side must be at least 1", in.shape().text(),
               out.shape().text());
  Scratch scratch;
  const auto taps_y = scratch.view<Taps>({h_out}), taps_x = scratch.view<Taps>({w_out});
  const auto weights_y = scratch.view<float>({h_out, max_taps(h, h_out)});
  const auto weights_x = scratch.view<float>({w_out, max_taps(w, w_out)});
  triangle_filter(h, h_out, taps_y, weights_y);
  triangle_filter(w, w_out, taps_x, weights_x);

  const auto narrow = scratch.view<float>({h, w_out});
  for (Index y = 0; y < h; ++y) {
    for (Index x = 0; x < w_out; ++x) {
      float sum = 0;
      for (Index k = 0; k < taps_x[x].count; ++k)
        sum += weights_x(x, k) * in(y, taps_x[x].first + k);
      narrow(y, x) = sum;
    }
  }
  for (Index y = 0; y < h_out; ++y) {
    float* row = out.row(y);
    std::fill(row, row + w_out, 0.0F);
    for (Index k = 0; k < taps_y[y].count; ++k) {
      const float weight = weights_y(y, k);
      const float* source = narrow.row(taps_y[y].first + k);
      for (Index x = 0; x < w_out; ++x) row[x] += weight * source[x];
    }
  }
}

void fit_to_grid(View<const float> in, ResizeOptions::Policy policy, float black, View<float> out) {
  const Index h = in.dim(0), w = in.dim(1), h_out = out.dim(0), w_out = out.dim(1);
  Scratch scratch;
  if (policy == ResizeOptions::Policy::crop) {
    const Index side = std::min(h, w);
    const auto square = scratch.view<float>({side, side});
    for (Index y = 0; y < side; ++y)
      std::copy_n(in.row((h - side) / 2 + y) + (w - side) / 2, side, square.row(y));
    resize(square, out);
  } else if (policy == ResizeOptions::Policy::pad) {
    const Index longer = std::max(h, w);
    const auto scaled = [longer](Index n, Index n_out) {  // n · n_out / longer, rounded
      return std::max(Index{1}, (2 * n * n_out + longer) / (2 * longer));
    };
    const auto inner = scratch.view<float>({scaled(h, h_out), scaled(w, w_out)});
    resize(in, inner);
    std::fill(out.begin(), out.end(), black);
    const Index top = (h_out - inner.dim(0)) / 2, left = (w_out - inner.dim(1)) / 2;
    for (Index y = 0; y < inner.dim(0); ++y)
      std::copy_n(inner.row(y), inner.dim(1), out.row(top + y) + left);
  } else {
    resize(in, out);
  }
}

void cut_patches(View<const float> in, Index patch, float centre, float scale, float* out) {
  const Index rows = in.dim(0) / patch, cols = in.dim(1) / patch;
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c)
      for (Index y = 0; y < patch; ++y) {
        const float* source = in.row(r * patch + y) + c * patch;
        for (Index x = 0; x < patch; ++x) *out++ = (source[x] - centre) * scale;
      }
}

}  // namespace attune
