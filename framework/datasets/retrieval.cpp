#include "datasets/retrieval.h"

#include "tensor/arena.h"

namespace attune {
namespace {

class Retrieval final : public Generated {
 public:
  Retrieval(RetrievalOptions o, const DataContext& context)
      : Generated("retrieval", o, context,
                  {.kind = RowSpec::Kind::tokens, .vocabulary = o.n_keys + o.n_values},
                  numbered(o.n_values)),
        options_(std::move(o)) {}

  Index n_rows(Split, Index) const override { return 2 * options_.n_pairs + 1; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    if (!out.tokens) return;
    Draws draw = draws(split, i);
    Scratch scratch;
    const auto keys = scratch.view<Index>({options_.n_keys});
    draw.choose(options_.n_pairs, keys);
    const Index asked = draw.below(options_.n_pairs);
    std::int32_t* token = out.tokens;
    for (Index pair = 0; pair < options_.n_pairs; ++pair) {
      const Index any = draw.below(options_.n_values);
      const Index value = pair == asked ? label(split, i) : any;
      *token++ = static_cast<std::int32_t>(keys[pair]);
      *token++ = static_cast<std::int32_t>(options_.n_keys + value);
    }
    *token = static_cast<std::int32_t>(keys[asked]);
  }

 private:
  RetrievalOptions options_;
};

}  // namespace

void RetrievalOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("n_pairs", n_pairs, {1, 1 << 16}, Role::result, "pairs of key and value an example");
  f.integer("n_keys", n_keys, {1, 1 << 16}, Role::result, "keys there are");
  f.integer("n_values", n_values, {2, 4096}, Role::result, "values there are: the classes");
  f.rule([this]() -> std::optional<Complaint> {
    if (n_pairs <= n_keys) return std::nullopt;
    return Complaint{
        "n_pairs",
        fmt::format("n_pairs={} distinct keys cannot be had of n_keys={}", n_pairs, n_keys),
        fmt::format("at most {}", n_keys),
        {"n_keys"}};
  });
}

std::unique_ptr<Dataset> RetrievalOptions::open(const DataContext& context) const {
  return std::make_unique<Retrieval>(*this, context);
}

}  // namespace attune
