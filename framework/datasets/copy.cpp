#include "datasets/copy.h"

#include <algorithm>

namespace attune {
namespace {

class Copy final : public Generated {
 public:
  Copy(CopyOptions o, const DataContext& context)
      : Generated("copy", o, context,
                  {.kind = RowSpec::Kind::tokens, .vocabulary = o.vocabulary, .row_targets = true},
                  numbered(o.vocabulary)),
        options_(std::move(o)) {}

  Index n_rows(Split, Index) const override { return options_.length; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    Draws draw = draws(split, i);
    if (out.targets) std::fill_n(out.targets, options_.distance, kNoTarget);
    for (Index row = 0; row < options_.length; ++row) {
      const auto token = static_cast<std::int32_t>(draw.below(options_.vocabulary));
      if (out.tokens) out.tokens[row] = token;
      if (out.targets && row + options_.distance < options_.length)
        out.targets[row + options_.distance] = token;
    }
  }

 private:
  CopyOptions options_;
};

}  // namespace

void CopyOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("length", length, {2, 1 << 20}, Role::result, "tokens an example");
  f.integer("distance", distance, {1, 1 << 20}, Role::result,
            "rows from a token to where it is asked for");
  f.integer("vocabulary", vocabulary, {2, 1 << 16}, Role::result, "tokens there are: the classes");
  f.rule([this]() -> std::optional<Complaint> {
    if (distance < length) return std::nullopt;
    return Complaint{"distance",
                     fmt::format("distance={} leaves no row to ask in length={}", distance, length),
                     fmt::format("at most {}", length - 1),
                     {"length"}};
  });
}

std::unique_ptr<Dataset> CopyOptions::open(const DataContext& context) const {
  return std::make_unique<Copy>(*this, context);
}

}  // namespace attune
