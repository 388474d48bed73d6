#include "datasets/phantoms.h"

#include <array>
#include <cmath>
#include <numbers>

#include "base/hash.h"
#include "base/philox.h"
#include "datasets/images.h"
#include "datasets/patch_cache.h"
#include "tensor/arena.h"

namespace attune {
namespace {

// Places of a phantom's draws in its stream; coordinates are (index, split).
enum Draw : std::uint64_t { sign, aspect, size, area, centre_u, centre_v, lattice };
constexpr Index kLattice = 4;  // the background is interpolated between kLattice² values
constexpr Index kDistractors = 2;
constexpr auto kFirstDistractor = static_cast<std::uint64_t>(lattice + kLattice * kLattice);
constexpr double kBackground = 0.35;

double between(double from, double to, double t) { return from + (to - from) * t; }

double smoothstep(double t) {
  t = t < 0 ? 0 : t > 1 ? 1 : t;
  return t * t * (3 - 2 * t);
}

// Gray profile of an ellipse over the square of its elliptical radius: 1 within half the radius, 0
// from the whole radius on.
double profile(double radius_squared) { return smoothstep((1 - radius_squared) / 0.75); }

double square(double x) { return x * x; }

// A smooth random field on the unit square: values on a lattice, joined by smoothsteps.
class Background {
 public:
  Background(const Stream& stream, std::uint32_t index, std::uint32_t split) {
    for (std::size_t k = 0; k < values_.size(); ++k)
      values_[k] = 2 * stream.uniform(lattice + k, index, split) - 1;
  }
  double operator()(double u, double v) const {
    const auto [x, tx] = cell(u);
    const auto [y, ty] = cell(v);
    const double* corner = values_.data() + y * kLattice + x;
    return between(between(corner[0], corner[1], tx),
                   between(corner[kLattice], corner[kLattice + 1], tx), ty);
  }

 private:
  struct Cell {
    Index first;
    double t;
  };
  static Cell cell(double u) {
    const double at = u * (kLattice - 1);
    const auto first = static_cast<Index>(at);
    return {first, smoothstep(at - static_cast<double>(first))};
  }
  std::array<double, kLattice * kLattice> values_;
};

struct Disc {
  double u, v, radius, amplitude;
};

Disc draw_disc(const Stream& stream, Index k, std::uint32_t index, std::uint32_t split) {
  const auto draw = [&](std::uint64_t i) {
    return stream.uniform(kFirstDistractor + 4 * static_cast<std::uint64_t>(k) + i, index, split);
  };
  return {draw(0), draw(1), between(0.05, 0.1, draw(2)), draw(3) < 0.5 ? -1.0 : 1.0};
}

class Phantoms final : public ImageDataset {
 public:
  Phantoms(const PhantomsOptions& options, const DataContext& context)
      : options_(options),
        patch_(context.patch),
        painter_(options, static_cast<std::uint64_t>(options.seed.value_or(context.seed))) {
    for (Split split : kSplits) {
      std::vector<Index> n_values;
      for (Index i = 0; i < size_of(split); ++i) {
        const Phantom p = painter_.draw(split, i);
        const Grid grid = patch_grid(p.height, p.width, patch_, options_.resize);
        part(split).examples.push_back({p.id, p.id, p.label, grid.rows, grid.cols});
        n_values.push_back(grid.rows * grid.cols * patch_ * patch_);
      }
      part(split).cache = PatchCache(n_values);
    }
    Sha256 hash;
    hash.update("attune phantoms 1\n");
    FieldList list;
    options_.fields(list);
    for (const ConfigLeaf& leaf : leaves(list))
      if (!leaf.key.starts_with("resize.") && !leaf.key.starts_with("augment.") &&
          leaf.key != "seed")
        hash.update(leaf.key + "=" + to_text(leaf.value) + "\n");
    // The one in use, so that redrawn images are other data.
    hash.update(fmt::format("seed={}\n", options.seed.value_or(context.seed)));
    sha256_ = hash.hex();
  }

  Index patch() const override { return patch_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::string sha256() const override { return sha256_; }
  AugmentOptions augment() const override { return options_.augment; }
  Index n_examples(Split split) const override { return size_of(split); }
  Example example(Split split, Index i) const override {
    return part(split).examples[static_cast<std::size_t>(i)];
  }

  ImageSize image_size(Split split, Index i) const override {
    const Phantom p = painter_.draw(split, i);
    return {p.height, p.width};
  }
  void read_image(Split split, Index i, View<float> out) const override {
    painter_.paint(split, i, out);
  }

  void write_patches(Split split, Index i, float* out) const override {
    part(split).cache.copy(i, out, [&](float* to) {
      const Phantom p = painter_.draw(split, i);
      const Example e = example(split, i);
      Scratch scratch;
      const auto native = scratch.view<float>({p.height, p.width});
      const auto fitted = scratch.view<float>({e.rows * patch_, e.cols * patch_});
      painter_.paint(split, i, native);
      fit_to_grid(native, options_.resize.policy, 0.0F, fitted);
      cut_patches(fitted, patch_, 0.5F, 4.0F, to);
    });
  }

 private:
  struct Part {
    std::vector<Example> examples;
    PatchCache cache;
  };
  Part& part(Split split) { return parts_[static_cast<std::size_t>(split)]; }
  const Part& part(Split split) const { return parts_[static_cast<std::size_t>(split)]; }
  Index size_of(Split split) const {
    return std::array{options_.n_train, options_.n_val,
                      options_.n_test}[static_cast<std::size_t>(split)];
  }

  PhantomsOptions options_;
  Index patch_;
  PhantomPainter painter_;
  std::string sha256_;
  std::vector<std::string> class_names_ = {"round", "elongated"};
  std::array<Part, 3> parts_;
};

std::optional<Complaint> check_interval(const char* key, const std::vector<double>& interval) {
  if (interval.size() == 2 && interval[0] <= interval[1]) return std::nullopt;
  return Complaint{key,
                   fmt::format("{}={} must be two numbers, the smaller one first", key,
                               to_text(FieldValue(interval))),
                   "",
                   {}};
}

}  // namespace

void PhantomsOptions::fields(FieldList& f) {
  f.integer("n_train", n_train, {1, 1e6}, Role::result, "training images");
  f.integer("n_val", n_val, {0, 1e6}, Role::result, "validation images");
  f.integer("n_test", n_test, {0, 1e6}, Role::result, "test images");
  f.integer("min_side", min_side, {8, 4096}, Role::result, "shortest side, pixels");
  f.integer("max_side", max_side, {8, 4096}, Role::result, "longest side, pixels");
  f.reals("aspect", aspect, {1, 4}, Role::result, "long side / short side, from and to");
  f.reals("lesion_area", lesion_area, {0.005, 0.5}, Role::result,
          "the lesion's share of the image, from and to");
  f.real("contrast", contrast, {0, 1}, Role::result, "lesion over background, of the gray range");
  f.real("noise", noise, {0, 1}, Role::result, "amplitude of background and distractors");
  f.integer("seed", seed, {0, 4e9}, Role::result, "of the images; null: the run's seed");
  f.group("resize", resize, "from images to patches");
  f.group("augment", augment, "random changes of the training images");

  f.rule([this] { return check_interval("aspect", aspect); });
  f.rule([this] { return check_interval("lesion_area", lesion_area); });
  f.rule([this]() -> std::optional<Complaint> {
    if (aspect.size() != 2 ||
        static_cast<double>(min_side) * aspect[1] <= static_cast<double>(max_side))
      return std::nullopt;
    return Complaint{
        "max_side",
        fmt::format("max_side={} has no room for min_side={} at an aspect of {}", max_side,
                    min_side, aspect[1]),
        fmt::format("at least {}", std::ceil(static_cast<double>(min_side) * aspect[1])),
        {"min_side", "aspect"}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (aspect.size() != 2 || lesion_area.size() != 2) return std::nullopt;
    // Half the lesion's longest extent in a square copy; .48 leaves room for rounded sides.
    const double limit = square(0.48) * std::numbers::pi / aspect[1];
    if (lesion_area[1] <= limit) return std::nullopt;
    return Complaint{"lesion_area",
                     fmt::format("a lesion of area {} does not fit into an image of aspect {}",
                                 lesion_area[1], aspect[1]),
                     fmt::format("at most {:.3f}", limit),
                     {"aspect"}};
  });
}

std::unique_ptr<Dataset> PhantomsOptions::open(const DataContext& context) const {
  return std::make_unique<Phantoms>(*this, context);
}

// Real images as bytes are on the same scale of grays: ½ is the middle, and ¼ is 1.
std::unique_ptr<Dataset> PhantomsOptions::open_other(const std::string& path, Index patch,
                                                     const TrainedOn& trained) const {
  return open_other_images(path, resize, patch, trained);
}

PhantomPainter::PhantomPainter(const PhantomsOptions& options, std::uint64_t seed)
    : options_(options),
      geometry_(seed, "data", "phantoms"),
      labels_(seed, "data", "phantoms.label") {}

Phantom PhantomPainter::draw(Split split, Index i) const {
  const auto index = static_cast<std::uint32_t>(i);
  const auto part = static_cast<std::uint32_t>(split);
  const auto uniform = [&](Draw what) { return geometry_.uniform(what, index, part); };

  Phantom p;
  p.id = 3 * i + static_cast<Index>(split);  // unmoved when a split grows
  // Examples 2k and 2k+1 have both labels, in random order.
  p.label = (labels_.below(2, 0, index / 2, part) + index) % 2;

  const double root = std::sqrt(between(options_.aspect[0], options_.aspect[1], uniform(aspect)));
  const double mean_side = between(static_cast<double>(options_.min_side) * root,
                                   static_cast<double>(options_.max_side) / root, uniform(size));
  p.width = static_cast<Index>(mean_side * root + 0.5);
  p.height = static_cast<Index>(mean_side / root + 0.5);
  if (uniform(sign) < 0.5) std::swap(p.width, p.height);

  // exp(S) of the header, with A of the sides as rounded.
  const double w = static_cast<double>(p.width), h = static_cast<double>(p.height);
  const double stretch = std::sqrt(p.label == 1 ? w / h : h / w);
  const double radius = std::sqrt(
      between(options_.lesion_area[0], options_.lesion_area[1], uniform(area)) / std::numbers::pi);
  p.radius_u = radius * stretch;
  p.radius_v = radius / stretch;
  const double margin = std::max(p.radius_u, p.radius_v);
  p.u = between(margin, 1 - margin, uniform(centre_u));
  p.v = between(margin, 1 - margin, uniform(centre_v));
  return p;
}

void PhantomPainter::paint(Split split, Index i, View<float> out) const {
  const Phantom p = draw(split, i);
  const auto index = static_cast<std::uint32_t>(i);
  const auto part = static_cast<std::uint32_t>(split);
  const Background background(geometry_, index, part);
  std::array<Disc, kDistractors> discs;
  for (Index k = 0; k < kDistractors; ++k)
    discs[static_cast<std::size_t>(k)] = draw_disc(geometry_, k, index, part);

  for (Index y = 0; y < p.height; ++y)
    for (Index x = 0; x < p.width; ++x) {
      const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(p.width);
      const double v = (static_cast<double>(y) + 0.5) / static_cast<double>(p.height);
      double texture = background(u, v);
      for (const Disc& d : discs)
        texture += d.amplitude * profile((square(u - d.u) + square(v - d.v)) / square(d.radius));
      const double lesion =
          profile(square((u - p.u) / p.radius_u) + square((v - p.v) / p.radius_v));
      out(y, x) =
          static_cast<float>(kBackground + options_.noise * texture + options_.contrast * lesion);
    }
}

}  // namespace attune
