#include "datasets/listops.h"

#include <algorithm>

#include "tensor/arena.h"

namespace attune {
namespace {

constexpr double kOperatorShare = 0.25;
constexpr Index kMostTrees = 1'000'000;

// Ids of the tokens: digits are themselves.
enum Token : std::int32_t { max_token = 10, min_token, med_token, sm_token, end_token };
constexpr Index kVocabulary = end_token + 1;

Index median(View<Index> values) {
  std::sort(values.begin(), values.end());
  const Index half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Index apply(std::int32_t op, View<Index> values) {
  if (op == max_token) return *std::max_element(values.begin(), values.end());
  if (op == min_token) return *std::min_element(values.begin(), values.end());
  if (op == med_token) return median(values);
  Index sum = 0;
  for (const Index value : values) sum += value;
  return sum % 10;
}

// Draws one tree, writes its tokens where there is room for them, and counts them all.
class Tree {
 public:
  Tree(const ListopsOptions& options, Draws& draw, std::int32_t* out, Index room)
      : options_(options), draw_(draw), out_(out), room_(room) {}

  // The value of the node; below a tree that has grown too long nothing is drawn.
  Index node(Index depth) {
    if (depth >= options_.max_depth || draw_.uniform() > kOperatorShare) {
      const Index digit = draw_.below(10);
      add(static_cast<std::int32_t>(digit));
      return digit;
    }
    const auto op = static_cast<std::int32_t>(max_token + draw_.below(4));
    const Index n = 2 + draw_.below(options_.max_args - 1);
    add(op);
    Scratch scratch;
    const auto values = scratch.view<Index>({n});
    for (Index& value : values) value = length_ <= room_ ? node(depth + 1) : 0;
    add(end_token);
    return apply(op, values);
  }
  Index length() const { return length_; }

 private:
  void add(std::int32_t token) {
    if (out_ && length_ < room_) out_[length_] = token;
    ++length_;
  }

  const ListopsOptions& options_;
  Draws& draw_;
  std::int32_t* out_;
  Index room_, length_ = 0;
};

class Listops final : public Generated {
 public:
  Listops(ListopsOptions o, const DataContext& context)
      : Generated("listops", o, context, {.kind = RowSpec::Kind::tokens, .vocabulary = kVocabulary},
                  numbered(10)),
        options_(std::move(o)) {
    for (const Split split : kSplits)
      for (Index i = 0; i < n_examples(split); ++i)
        found_[static_cast<std::size_t>(split)].push_back(find(split, i));
  }

  Index n_rows(Split split, Index i) const override { return found(split, i).length; }
  Index label(Split split, Index i) const override { return found(split, i).value; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    if (!out.tokens) return;
    Draws draw = draws(split, i);
    draw.seek(found(split, i).position);
    Tree(options_, draw, out.tokens, options_.max_length).node(1);
  }

 private:
  // The first tree of an example that is of the right length, and where its draws begin.
  struct Found {
    std::uint64_t position;
    Index length, value;
  };

  const Found& found(Split split, Index i) const {
    return found_[static_cast<std::size_t>(split)][static_cast<std::size_t>(i)];
  }

  Found find(Split split, Index i) const {
    Draws draw = draws(split, i);
    for (Index t = 0; t < kMostTrees; ++t) {
      const std::uint64_t position = draw.position();
      Tree tree(options_, draw, nullptr, options_.max_length);
      const Index value = tree.node(1);
      if (tree.length() >= options_.min_length && tree.length() <= options_.max_length)
        return {position, tree.length(), value};
    }
    throw KeyedDataError(
        {"data.min_length",
         fmt::format("of {} trees of max_depth={} and max_args={} none had {} to {} tokens",
                     kMostTrees, options_.max_depth, options_.max_args, options_.min_length,
                     options_.max_length),
         "Widen min_length … max_length, or allow deeper trees or more arguments",
         {}});
  }

  ListopsOptions options_;
  std::array<std::vector<Found>, 3> found_;
};

}  // namespace

void ListopsOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("max_depth", max_depth, {2, 64}, Role::result, "levels of the deepest tree");
  f.integer("max_args", max_args, {2, 64}, Role::result, "most arguments of an operator");
  f.integer("min_length", min_length, {1, 1 << 20}, Role::result, "fewest tokens an example");
  f.integer("max_length", max_length, {1, 1 << 20}, Role::result, "most tokens an example");
  f.rule([this]() -> std::optional<Complaint> {
    if (min_length <= max_length) return std::nullopt;
    return Complaint{
        "min_length",
        fmt::format("min_length={} is more than max_length={}", min_length, max_length),
        "",
        {"max_length"}};
  });
}

std::unique_ptr<Dataset> ListopsOptions::open(const DataContext& context) const {
  return std::make_unique<Listops>(*this, context);
}

}  // namespace attune
