#include "datasets/recall.h"

#include "tensor/arena.h"

namespace attune {
namespace {

std::vector<std::string> vocabulary_of(const RecallOptions& o) {
  std::vector<std::string> names = numbered(o.n_keys, "k");
  for (std::string& value : numbered(o.n_values, "v")) names.push_back(std::move(value));
  return names;
}

class Recall final : public Generated {
 public:
  Recall(RecallOptions o, const DataContext& context)
      : Generated("recall", o, context,
                  {.kind = RowSpec::Kind::tokens,
                   .vocabulary = o.n_keys + o.n_values,
                   .row_targets = true,
                   .targets_ahead = true},
                  vocabulary_of(o)),
        options_(std::move(o)) {}

  Index n_rows(Split, Index) const override {
    return 2 * (options_.n_pairs + options_.n_queries) - 1;
  }

  void write(Split split, Index i, const ExampleRows& out) const override {
    Draws draw = draws(split, i);
    const Index n_pairs = options_.n_pairs, n = n_rows(split, i);
    Scratch scratch;
    const auto keys = scratch.view<Index>({options_.n_keys});
    const auto values = scratch.view<Index>({n_pairs}), asked = scratch.view<Index>({n_pairs});
    draw.choose(n_pairs, keys);
    for (Index& value : values) value = options_.n_keys + draw.below(options_.n_values);
    draw.choose(options_.n_queries, asked);
    // One more than there are rows: the last value is a target only.
    const auto token = [&](Index place) {
      const Index nth = place / 2, pair = nth < n_pairs ? nth : asked[nth - n_pairs];
      return static_cast<std::int32_t>(place % 2 == 0 ? keys[pair] : values[pair]);
    };
    for (Index row = 0; row < n; ++row) {
      const bool query = row >= 2 * n_pairs && row % 2 == 0;
      if (out.tokens) out.tokens[row] = token(row);
      if (out.targets) out.targets[row] = query ? token(row + 1) : kNoTarget;
    }
  }

 private:
  RecallOptions options_;
};

}  // namespace

void RecallOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("n_pairs", n_pairs, {1, 1 << 16}, Role::result, "pairs of key and value an example");
  f.integer("n_queries", n_queries, {1, 1 << 16}, Role::result, "keys that are asked for");
  f.integer("n_keys", n_keys, {1, 1 << 16}, Role::result, "keys there are");
  f.integer("n_values", n_values, {2, 4096}, Role::result, "values there are");
  f.rule([this]() -> std::optional<Complaint> {
    if (n_pairs <= n_keys) return std::nullopt;
    return Complaint{
        "n_pairs",
        fmt::format("n_pairs={} distinct keys cannot be had of n_keys={}", n_pairs, n_keys),
        fmt::format("at most {}", n_keys),
        {"n_keys"}};
  });
  f.rule([this]() -> std::optional<Complaint> {
    if (n_queries <= n_pairs) return std::nullopt;
    return Complaint{"n_queries",
                     fmt::format("n_queries={} distinct keys cannot be asked for, of n_pairs={}",
                                 n_queries, n_pairs),
                     fmt::format("at most {}", n_pairs),
                     {"n_pairs"}};
  });
}

std::unique_ptr<Dataset> RecallOptions::open(const DataContext& context) const {
  return std::make_unique<Recall>(*this, context);
}

}  // namespace attune
