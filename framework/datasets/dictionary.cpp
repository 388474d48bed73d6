#include "datasets/dictionary.h"

#include <algorithm>

#include "tensor/arena.h"

namespace attune {
namespace {

class Dictionary final : public Generated, public Graphs {
 public:
  Dictionary(DictionaryOptions o, const DataContext& context)
      : Generated("dictionary", o, context,
                  {.kind = RowSpec::Kind::vectors, .width = 2 * o.n_pairs + 1, .row_targets = true},
                  numbered(o.n_pairs)),
        n_(o.n_pairs) {
    // The same of every example: the nodes that ask receive from all that answer.
    for (Index node = 0; node <= 2 * n_; ++node)
      indptr_.push_back(static_cast<std::int32_t>(std::min(node, n_) * n_));
    for (Index edge = 0; edge < n_ * n_; ++edge)
      indices_.push_back(static_cast<std::int32_t>(n_ + edge % n_));
  }

  const Graphs* graphs() const override { return this; }
  GraphRows graph(Split, Index) const override { return {indptr_, indices_}; }
  Index n_rows(Split, Index) const override { return 2 * n_; }

  void write(Split split, Index i, const ExampleRows& out) const override {
    Draws draw = draws(split, i);
    Scratch scratch;
    const auto keys = scratch.view<Index>({n_}), values = scratch.view<Index>({n_});
    draw.choose(n_, keys);
    draw.choose(n_, values);
    if (out.values) {
      const Index none = 2 * n_;
      std::fill_n(out.values, n_rows(split, i) * width(), 0.0F);
      const auto mark = [&](Index node, Index column) {
        out.values[node * width() + column] = 1.0F;
      };
      for (Index j = 0; j < n_; ++j) {
        mark(j, j);
        mark(j, none);
        mark(n_ + j, keys[j]);
        mark(n_ + j, n_ + values[j]);
      }
    }
    if (out.targets) {
      for (Index j = 0; j < n_; ++j) {
        out.targets[keys[j]] = static_cast<std::int32_t>(values[j]);
        out.targets[n_ + j] = kNoTarget;
      }
    }
  }

 private:
  Index n_;
  std::vector<std::int32_t> indptr_, indices_;
};

}  // namespace

void DictionaryOptions::fields(FieldList& f) {
  GeneratedOptions::fields(f);
  f.integer("n_pairs", n_pairs, {2, 1024}, Role::result,
            "keys, each with its value: the classes, and half the nodes");
}

std::unique_ptr<Dataset> DictionaryOptions::open(const DataContext& context) const {
  return std::make_unique<Dictionary>(*this, context);
}

}  // namespace attune
