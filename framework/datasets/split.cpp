#include "datasets/split.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/philox.h"

namespace attune {
namespace {

using Scheme = SplitOptions::Scheme;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// Examples that stay together, with how many of each class they are.
struct Unit {
  std::vector<Index> examples;
  std::vector<double> counts;
  double size() const { return static_cast<double>(examples.size()); }
};

// In an order drawn from the seed, which file order does not enter.
std::vector<Unit> shuffled_units(const SplitColumns& columns, const std::vector<Index>& examples,
                                 const SplitOptions& options, std::size_t n_classes,
                                 const std::string& purpose) {
  std::map<Index, Unit> units;  // by group
  for (Index i : examples) {
    Unit& unit = units[options.by == SplitOptions::By::group ? columns.group[at(i)] : i];
    unit.examples.push_back(i);
    unit.counts.resize(n_classes);
    unit.counts[options.stratify == SplitOptions::Stratify::label ? at(columns.label[at(i)]) : 0] +=
        1;
  }
  std::vector<Unit> list;
  for (auto& [unused, unit] : units) list.push_back(std::move(unit));
  const Stream stream(static_cast<std::uint64_t>(options.seed), "split", purpose);
  for (std::size_t left = list.size(); left > 1; --left)
    std::swap(list[left - 1], list[stream.below(static_cast<std::uint32_t>(left), left)]);
  return list;
}

// Moves about `share` of the examples from `pool` to the result, whole units at a time.
std::vector<Index> take_share(const SplitColumns& columns, std::vector<Index>& pool, double share,
                              const SplitOptions& options, const std::string& purpose,
                              std::size_t n_classes) {
  const std::vector<Unit> units = shuffled_units(columns, pool, options, n_classes, purpose);
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

// Folds being filled.
class Folds {
 public:
  Folds(const std::vector<Unit>& units, Index n_folds, std::size_t n_classes)
      : total_(n_classes), count_(at(n_folds), std::vector<double>(n_classes)), size_(at(n_folds)) {
    for (const Unit& unit : units) {
      for (std::size_t c = 0; c < n_classes; ++c) total_[c] += unit.counts[c];
      n_ += unit.size();
    }
  }
  void add(const Unit& unit, std::size_t fold, double sign = 1) {
    for (std::size_t c = 0; c < total_.size(); ++c) count_[fold][c] += sign * unit.counts[c];
    size_[fold] += sign * unit.size();
  }
  // Half of what adding the unit costs a fold, less what it costs any fold alike.
  double cost(const Unit& unit, std::size_t fold) const {
    double sum = unit.size() * size_[fold] / n_;
    for (std::size_t c = 0; c < total_.size(); ++c)
      if (total_[c] > 0) sum += unit.counts[c] * count_[fold][c] / total_[c];
    return sum;
  }
  // Among equals the first in `order`.
  std::size_t cheapest(const Unit& unit, const std::vector<std::size_t>& order) const {
    return *std::min_element(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return cost(unit, a) < cost(unit, b);
    });
  }

 private:
  std::vector<double> total_;
  std::vector<std::vector<double>> count_;  // [fold][class]
  std::vector<double> size_;                // [fold]
  double n_ = 0;
};

// The fold of each unit, as deal_folds says; sorts the units.
std::vector<std::size_t> deal(std::vector<Unit>& units, const SplitOptions& options,
                              std::size_t n_classes) {
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) {
    return a.examples.size() > b.examples.size();
  });
  // Which fold the first of equal ones is: else the largest group were always in fold 0.
  std::vector<std::size_t> order(at(options.n_folds()));
  std::iota(order.begin(), order.end(), std::size_t{0});
  const Stream stream(static_cast<std::uint64_t>(options.seed), "split", "fold order");
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[stream.below(static_cast<std::uint32_t>(left), left)]);

  Folds folds(units, options.n_folds(), n_classes);
  std::vector<std::size_t> fold_of(units.size());
  for (std::size_t u = 0; u < units.size(); ++u) {
    fold_of[u] = folds.cheapest(units[u], order);
    folds.add(units[u], fold_of[u]);
  }
  constexpr double kRounding = 1e-9;  // of costs of order 1: no walk in circles
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t u = 0; u < units.size(); ++u) {
      folds.add(units[u], fold_of[u], -1);
      const std::size_t best = folds.cheapest(units[u], order);
      if (folds.cost(units[u], best) < folds.cost(units[u], fold_of[u]) - kRounding) {
        fold_of[u] = best;
        moved = true;
      }
      folds.add(units[u], fold_of[u]);
    }
  }
  return fold_of;
}

const char* unit_word(const SplitOptions& options) {
  return options.by == SplitOptions::By::group ? "groups" : "examples";
}

void require_every_class(const SplitColumns& columns, const SplitOptions& options,
                         const std::vector<std::string>& class_names,
                         const std::vector<Index>& fold_of) {
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    std::vector<Index> in_fold(at(options.n_folds()));
    std::set<Index> groups;
    for (std::size_t i = 0; i < fold_of.size(); ++i) {
      if (at(columns.label[i]) != c) continue;
      ++in_fold[at(fold_of[i])];
      groups.insert(options.by == SplitOptions::By::group ? columns.group[i]
                                                          : static_cast<Index>(i));
    }
    const auto empty = std::find(in_fold.begin(), in_fold.end(), 0);
    ATTUNE_CHECK(empty == in_fold.end(), DataError,
                 "class '{}' has no example in fold {} of {}: its {} examples are {} {}. Set a "
                 "smaller split.count, or try another split.seed{}",
                 class_names[c], empty - in_fold.begin(), options.n_folds(),
                 std::accumulate(in_fold.begin(), in_fold.end(), Index{0}), groups.size(),
                 unit_word(options),
                 options.by == SplitOptions::By::group ? ", or split by=example" : "");
  }
}

void require_whole_groups(const SplitColumns& columns) {
  std::map<Index, std::int32_t> split_of;
  for (std::size_t i = 0; i < columns.group.size(); ++i) {
    const auto [known, first] = split_of.emplace(columns.group[i], columns.given[i]);
    ATTUNE_CHECK(first || known->second == columns.given[i], DataError,
                 "group {} stands in two splits of the file's /split, {} and {}. "
                 "split.by=example allows it; else give the whole group to one split",
                 columns.group[i], name_of(static_cast<Split>(known->second)),
                 name_of(static_cast<Split>(columns.given[i])));
  }
}

SplitIndices given_split(const SplitColumns& columns, const SplitOptions& options) {
  ATTUNE_CHECK(!columns.given.empty(), DataError,
               "split.scheme=given, and the file has no /split: write one (0 train, 1 val, 2 "
               "test), or use split.scheme=holdout");
  if (options.by == SplitOptions::By::group) require_whole_groups(columns);
  SplitIndices parts;
  for (std::size_t i = 0; i < columns.given.size(); ++i)
    parts[at(columns.given[i])].push_back(static_cast<Index>(i));
  return parts;
}

SplitIndices fold_split(const SplitColumns& columns, const SplitOptions& options,
                        const std::vector<std::string>& class_names, std::optional<Index> fold) {
  ATTUNE_CHECK(fold && *fold >= 0 && *fold < options.n_folds(), DataError,
               "split.scheme=kfold has folds 0 to {}, and {} was asked for", options.n_folds() - 1,
               fold ? fmt::format("fold {}", *fold) : "none");
  const std::vector<Index> fold_of = deal_folds(columns, options, class_names);
  SplitIndices parts;
  for (std::size_t i = 0; i < fold_of.size(); ++i)
    parts[at(static_cast<Index>(fold_of[i] == *fold ? Split::test : Split::train))].push_back(
        static_cast<Index>(i));
  return parts;
}

SplitIndices holdout_split(const SplitColumns& columns, const SplitOptions& options,
                           std::size_t n_classes) {
  SplitIndices parts;
  auto& [train, val, test] = parts;
  train.resize(columns.label.size());
  std::iota(train.begin(), train.end(), Index{0});
  const double share = options.test_share();
  test = take_share(columns, train, share, options, "test", n_classes);
  ATTUNE_CHECK(share == 0 || !test.empty(), DataError,
               "split.test={} leaves the test split empty: every one of the groups of these {} "
               "images is too large for it. Raise it, or split by=example",
               share, columns.label.size());
  return parts;
}

}  // namespace

double SplitOptions::test_share() const {
  const auto* share = std::get_if<double>(&test);
  return share ? *share : 0.2;
}

Index SplitOptions::n_folds() const { return scheme == Scheme::kfold ? count.value_or(5) : 0; }

std::vector<Index> SplitOptions::folds() const {
  std::vector<Index> list(at(n_folds()));
  std::iota(list.begin(), list.end(), Index{0});
  const auto* some = std::get_if<std::vector<Index>>(&test);
  if (some && scheme == Scheme::kfold) list = *some;
  std::sort(list.begin(), list.end());
  return list;
}

std::vector<Index> deal_folds(const SplitColumns& columns, const SplitOptions& options,
                              const std::vector<std::string>& class_names) {
  std::vector<Index> all(columns.label.size());
  std::iota(all.begin(), all.end(), Index{0});
  std::vector<Unit> units = shuffled_units(columns, all, options, class_names.size(), "folds");
  ATTUNE_CHECK(at(options.n_folds()) <= units.size(), DataError,
               "split.count={} is more than the {} {} of these {} images. Set split.count to at "
               "most {}{}",
               options.n_folds(), units.size(), unit_word(options), all.size(), units.size(),
               options.by == SplitOptions::By::group ? ", or split by=example" : "");
  const std::vector<std::size_t> fold_of_unit = deal(units, options, class_names.size());
  std::vector<Index> fold_of(all.size());
  for (std::size_t u = 0; u < units.size(); ++u)
    for (const Index i : units[u].examples) fold_of[at(i)] = static_cast<Index>(fold_of_unit[u]);
  require_every_class(columns, options, class_names, fold_of);
  return fold_of;
}

SplitIndices split_examples(const SplitColumns& columns, const SplitOptions& options,
                            const std::vector<std::string>& class_names,
                            std::optional<Index> fold) {
  const std::size_t n_classes = class_names.size();
  SplitIndices parts = options.scheme == Scheme::given ? given_split(columns, options)
                       : options.scheme == Scheme::kfold
                           ? fold_split(columns, options, class_names, fold)
                           : holdout_split(columns, options, n_classes);
  auto& [train, val, test] = parts;
  const std::string where =
      options.scheme == Scheme::kfold
          ? fmt::format(" when fold {} of {} is tested", *fold, options.n_folds())
          : "";
  if (val.empty()) {
    const std::string purpose =
        options.scheme == Scheme::kfold ? fmt::format("val of fold {}", *fold) : "val";
    val = take_share(columns, train, options.val, options, purpose, n_classes);
    ATTUNE_CHECK(options.val == 0 || !val.empty(), DataError,
                 "split.val={} leaves the validation split empty{}: every training group is too "
                 "large for it. Raise it, or split by=example",
                 options.val, where);
  }
  std::vector<Index> counts(n_classes);
  for (Index i : train) ++counts[at(columns.label[at(i)])];
  for (std::size_t c = 0; c < counts.size(); ++c)
    ATTUNE_CHECK(
        counts[c] > 0, DataError,
        "class '{}' has no example in the training split ({} examples){}: its groups are all "
        "held out. Lower split.test or split.val, or try another split.seed",
        class_names[c], train.size(), where);
  return parts;
}

}  // namespace attune
