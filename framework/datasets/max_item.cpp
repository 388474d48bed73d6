#include "datasets/max_item.h"

#include <algorithm>

namespace attune {
namespace {

class Max final : public Generated {
 public:
  Max(MaxOptions o, const DataContext& context)
      : Generated("max", o, context, {.kind = RowSpec::Kind::vectors, .width = 1 + o.n_classes},
                  numbered(o.n_classes)),
        options_(std::move(o)) {}

  Index n_rows(Split split, Index i) const override {
    Draws draw = draws(split, i);
    return options_.min_items + draw.below(options_.max_items - options_.min_items + 1);
  }

  void write(Split split, Index i, const ExampleRows& out) const override {
    if (!out.values) return;
    Draws draw = draws(split, i);
    draw.below(1);  // the number of items
    const Index n = n_rows(split, i), width = 1 + n_classes();
    std::fill_n(out.values, n * width, 0.0F);
    Index highest = 0;
    for (Index item = 0; item < n; ++item) {
      out.values[item * width] = static_cast<float>(draw.uniform());
      // The first of equals, which floats make possible: whoever reads rows sees no other order.
      if (out.values[item * width] > out.values[highest * width]) highest = item;
    }
    for (Index item = 0; item < n; ++item) {
      const Index any = draw.below(n_classes());
      out.values[item * width + 1 + (item == highest ? label(split, i) : any)] = 1.0F;
    }
  }

 private:
  MaxOptions options_;
};

}  // namespace

void MaxOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("min_items", min_items, {1, 1 << 20}, Role::result, "fewest items an example");
  f.integer("max_items", max_items, {1, 1 << 20}, Role::result, "most items an example");
  f.integer("n_classes", n_classes, {2, 4096}, Role::result, "categories there are");
  f.rule([this]() -> std::optional<Complaint> {
    if (min_items <= max_items) return std::nullopt;
    return Complaint{"min_items",
                     fmt::format("min_items={} is more than max_items={}", min_items, max_items),
                     "",
                     {"max_items"}};
  });
}

std::unique_ptr<Dataset> MaxOptions::open(const DataContext& context) const {
  return std::make_unique<Max>(*this, context);
}

}  // namespace attune
