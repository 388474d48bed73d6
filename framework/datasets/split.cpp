#include "datasets/split.h"

#include <algorithm>
#include <map>

#include "base/philox.h"

namespace attune {
namespace {

// Examples that stay together, with how many of each class they are.
struct Unit {
  std::vector<Index> examples;
  std::vector<double> counts;
};

std::vector<Unit> make_units(const SplitColumns& columns, const std::vector<Index>& examples,
                             const SplitOptions& options, std::size_t n_classes) {
  std::map<Index, Unit> units;  // by group: an order that file order does not enter
  for (Index i : examples) {
    const auto e = static_cast<std::size_t>(i);
    Unit& unit = units[options.by == SplitOptions::By::group ? columns.group[e] : i];
    unit.examples.push_back(i);
    unit.counts.resize(n_classes);
    unit.counts[options.stratify == SplitOptions::Stratify::label
                    ? static_cast<std::size_t>(columns.label[e])
                    : 0] += 1;
  }
  std::vector<Unit> list;
  for (auto& [unused, unit] : units) list.push_back(std::move(unit));
  return list;
}

// Moves about `share` of the examples from `pool` to the result, whole units at a time.
std::vector<Index> take_share(const SplitColumns& columns, std::vector<Index>& pool, double share,
                              const SplitOptions& options, const char* purpose,
                              std::size_t n_classes) {
  std::vector<Unit> units = make_units(columns, pool, options, n_classes);
  const Stream stream(static_cast<std::uint64_t>(options.seed), "split", purpose);
  for (std::size_t left = units.size(); left > 1; --left)
    std::swap(units[left - 1], units[stream.below(static_cast<std::uint32_t>(left), left)]);

  std::vector<double> total(n_classes), missing(n_classes);
  for (const Unit& unit : units)
    for (std::size_t c = 0; c < n_classes; ++c) total[c] += unit.counts[c];
  for (std::size_t c = 0; c < n_classes; ++c) missing[c] = share * total[c];
  // Taking g examples of a class that still misses m changes (m² / total) by g (g − 2m) / total.
  const auto gain = [&](const Unit& unit) {
    double sum = 0;
    for (std::size_t c = 0; c < n_classes; ++c)
      if (total[c] > 0) sum += unit.counts[c] * (2 * missing[c] - unit.counts[c]) / total[c];
    return sum;
  };

  std::vector<Index> taken, kept;
  for (const Unit& unit : units) {
    const bool take = gain(unit) > 0;
    if (take)
      for (std::size_t c = 0; c < n_classes; ++c) missing[c] -= unit.counts[c];
    std::vector<Index>& to = take ? taken : kept;
    to.insert(to.end(), unit.examples.begin(), unit.examples.end());
  }
  std::sort(taken.begin(), taken.end());
  std::sort(kept.begin(), kept.end());
  pool = std::move(kept);
  return taken;
}

}  // namespace

void SplitOptions::fields(FieldList& f) {
  f.choice("by", by, {{"group", By::group}, {"example", By::example}}, Role::result,
           "what is never cut apart");
  f.choice("scheme", scheme, {{"holdout", Scheme::holdout}, {"given", Scheme::given}}, Role::result,
           "holdout draws a test set, given takes /split of the file");
  f.real("test", test, {0, 0.9}, Role::result, "share of the examples held out, by holdout");
  f.real("val", val, {0, 0.9}, Role::result, "share of the training examples to choose on");
  f.choice("stratify", stratify, {{"label", Stratify::label}, {"none", Stratify::none}},
           Role::result, "keep the shares of the classes in every split");
  f.integer("seed", seed, {0, 4e9}, Role::result, "of the split; the run's seed never moves it");
}

SplitIndices split_examples(const SplitColumns& columns, const SplitOptions& options,
                            const std::vector<std::string>& class_names) {
  SplitIndices parts;
  auto& [train, val, test] = parts;
  const Index n = static_cast<Index>(columns.label.size());
  if (options.scheme == SplitOptions::Scheme::given) {
    ATTUNE_CHECK(!columns.given.empty(), DataError,
                 "split.scheme=given, and the file has no /split: write one (0 train, 1 val, 2 "
                 "test), or use split.scheme=holdout");
    for (Index i = 0; i < n; ++i)
      parts[static_cast<std::size_t>(columns.given[static_cast<std::size_t>(i)])].push_back(i);
  } else {
    for (Index i = 0; i < n; ++i) train.push_back(i);
    test = take_share(columns, train, options.test, options, "test", class_names.size());
    ATTUNE_CHECK(options.test == 0 || !test.empty(), DataError,
                 "split.test={} leaves the test split empty: every one of the groups of these {} "
                 "images is too large for it. Raise it, or split by=example",
                 options.test, n);
  }
  if (val.empty()) {
    val = take_share(columns, train, options.val, options, "val", class_names.size());
    ATTUNE_CHECK(options.val == 0 || !val.empty(), DataError,
                 "split.val={} leaves the validation split empty: every training group is too "
                 "large for it. Raise it, or split by=example",
                 options.val);
  }
  std::vector<Index> counts(class_names.size());
  for (Index i : train)
    ++counts[static_cast<std::size_t>(columns.label[static_cast<std::size_t>(i)])];
  for (std::size_t c = 0; c < counts.size(); ++c)
    ATTUNE_CHECK(
        counts[c] > 0, DataError,
        "class '{}' has no example in the training split ({} examples): its groups are all "
        "held out. Lower split.test or split.val, or try another split.seed",
        class_names[c], train.size());
  return parts;
}

}  // namespace attune
