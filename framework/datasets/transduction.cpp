#include "datasets/transduction.h"

#include <algorithm>

#include "datasets/decoded.h"
#include "tensor/arena.h"

namespace attune {
namespace {

class Transduction final : public Generated {
 public:
  Transduction(TransductionOptions o, const DataContext& context)
      : Generated("transduction", o, context,
                  {.kind = RowSpec::Kind::tokens,
                   .vocabulary = o.vocabulary,
                   .queries = decoded_queries(o.vocabulary)},
                  with_boundary(numbered(o.vocabulary))),
        options_(std::move(o)) {}

  Index n_rows(Split split, Index i) const override {
    Draws draw = draws(split, i);
    return length(draw);
  }
  Index n_queries(Split split, Index i) const override { return n_rows(split, i) + 1; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    Draws draw = draws(split, i);
    const Index n = length(draw);
    Scratch scratch;
    const auto tokens = scratch.view<std::int32_t>({n});
    for (std::int32_t& token : tokens)
      token = static_cast<std::int32_t>(draw.below(options_.vocabulary));
    if (out.tokens) std::copy(tokens.begin(), tokens.end(), out.tokens);
    if (options_.rule == TransductionOptions::Rule::reverse)
      std::reverse(tokens.begin(), tokens.end());
    write_answer({tokens.data(), static_cast<std::size_t>(n)}, options_.vocabulary, out);
  }

 private:
  Index length(Draws& draw) const {
    return options_.min_length + draw.below(options_.max_length - options_.min_length + 1);
  }
  TransductionOptions options_;
};

}  // namespace

void TransductionOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.choice("rule", rule, {{"copy", Rule::copy}, {"reverse", Rule::reverse}}, Role::result,
           "what is to be said of the tokens");
  f.integer("min_length", min_length, {1, 1 << 20}, Role::result, "fewest tokens an example");
  f.integer("max_length", max_length, {1, 1 << 20}, Role::result, "most tokens an example");
  f.integer("vocabulary", vocabulary, {2, 1 << 16}, Role::result, "tokens there are");
  f.rule([this]() -> std::optional<Complaint> {
    if (min_length <= max_length) return std::nullopt;
    return Complaint{
        "min_length",
        fmt::format("min_length={} is more than max_length={}", min_length, max_length),
        "",
        {"max_length"}};
  });
}

std::unique_ptr<Dataset> TransductionOptions::open(const DataContext& context) const {
  return std::make_unique<Transduction>(*this, context);
}

}  // namespace attune
