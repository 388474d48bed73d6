#include "datasets/needle.h"

namespace attune {
namespace {

class Needle final : public Generated {
 public:
  Needle(NeedleOptions o, const DataContext& context)
      : Generated("needle", o, context, {.kind = RowSpec::Kind::vectors, .width = o.width},
                  numbered(o.n_classes)),
        options_(std::move(o)) {}

  Index n_rows(Split, Index) const override { return options_.n_noise + 1; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    if (!out.values) return;
    Draws draw = draws(split, i);
    const Index needle = draw.below(n_rows(split, i));
    for (Index k = 0; k < n_rows(split, i) * options_.width; ++k)
      out.values[k] = static_cast<float>(options_.sigma * draw.normal());
    out.values[needle * options_.width + label(split, i)] = static_cast<float>(options_.margin);
  }

 private:
  NeedleOptions options_;
};

}  // namespace

void NeedleOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("n_noise", n_noise, {0, 1 << 20}, Role::result, "rows of noise beside the needle");
  f.integer("width", width, {2, 1 << 16}, Role::result, "values a row");
  f.integer("n_classes", n_classes, {2, 4096}, Role::result, "axes that a needle may lie along");
  f.real("margin", margin, {0, 1e3}, Role::result, "the needle's value along its axis");
  f.real("sigma", sigma, {0, 1e3}, Role::result, "deviation of all other values");
  f.rule([this]() -> std::optional<Complaint> {
    if (n_classes <= width) return std::nullopt;
    return Complaint{"n_classes",
                     fmt::format("n_classes={} axes cannot be had of width={}", n_classes, width),
                     fmt::format("at most {}", width),
                     {"width"}};
  });
}

std::unique_ptr<Dataset> NeedleOptions::open(const DataContext& context) const {
  return std::make_unique<Needle>(*this, context);
}

}  // namespace attune
