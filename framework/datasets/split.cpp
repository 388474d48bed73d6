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

bool by_group(const SplitOptions& options) { return options.by == SplitOptions::By::group; }
const char* unit_word(const SplitOptions& options) {
  return by_group(options) ? "groups" : "examples";
}
// What follows other advice where it applies.
const char* or_by_example(const SplitOptions& options) {
  return by_group(options) ? ", or data.split.by=example" : "";
}

[[noreturn]] void refuse(std::string key, std::string message, std::string hint) {
  throw KeyedDataError({"data.split." + std::move(key), std::move(message), std::move(hint), {}});
}

// How much there is of a class: so many examples, in so many units that stay together.
struct ClassSize {
  Index examples = 0;
  std::size_t units = 0;
};

ClassSize size_of_class(const SplitColumns& columns, const SplitOptions& options, std::size_t c) {
  std::set<Index> units;
  ClassSize size;
  for (std::size_t i = 0; i < columns.label.size(); ++i) {
    if (at(columns.label[i]) != c) continue;
    ++size.examples;
    units.insert(by_group(options) ? columns.group[i] : static_cast<Index>(i));
  }
  size.units = units.size();
  return size;
}

void require_every_class(const SplitColumns& columns, const SplitOptions& options,
                         const std::vector<std::string>& class_names,
                         const std::vector<Index>& fold_of) {
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    std::vector<Index> in_fold(at(options.n_folds()));
    for (std::size_t i = 0; i < fold_of.size(); ++i)
      if (at(columns.label[i]) == c) ++in_fold[at(fold_of[i])];
    const auto empty = std::find(in_fold.begin(), in_fold.end(), 0);
    if (empty == in_fold.end()) continue;
    const auto [examples, units] = size_of_class(columns, options, c);
    if (units == 1)
      refuse(
          "by",
          fmt::format("class '{}' has one {} only, with {} of its images, so that k folds cannot "
                      "hold it out: the fold that tests it leaves none of it to train on",
                      class_names[c], by_group(options) ? "group" : "example", examples),
          fmt::format("Leave its images out, or bring some of other {}{}", unit_word(options),
                      by_group(options) && examples > 1
                          ? ", or set data.split.by=example, which trains and tests on one group"
                          : ""));
    const bool too_few = units < in_fold.size();
    refuse("count",
           fmt::format("class '{}' has no example in fold {} of {}: its {} examples are {} {}",
                       class_names[c], empty - in_fold.begin(), options.n_folds(), examples, units,
                       unit_word(options)),
           (too_few ? fmt::format("Set data.split.count to at most {}", units)
                    : "Set a smaller data.split.count, or try another data.split.seed") +
               or_by_example(options));
  }
}

void require_whole_groups(const SplitColumns& columns) {
  std::map<Index, std::int32_t> split_of;
  for (std::size_t i = 0; i < columns.group.size(); ++i) {
    const auto [known, first] = split_of.emplace(columns.group[i], columns.given[i]);
    if (first || known->second == columns.given[i]) continue;
    refuse(
        "scheme",
        fmt::format("group {} stands in two splits of the file's /split, {} and {}",
                    columns.group[i], name_of(static_cast<Split>(known->second)),
                    name_of(static_cast<Split>(columns.given[i]))),
        "Give the whole group to one split there, or set data.split.by=example, which allows it");
  }
}

SplitIndices given_split(const SplitColumns& columns, const SplitOptions& options) {
  if (columns.given.empty())
    refuse("scheme", "data.split.scheme=given, and the file has no /split",
           "Write one into it (0 train, 1 val, 2 test), or set data.split.scheme=holdout");
  if (by_group(options)) require_whole_groups(columns);
  SplitIndices parts;
  for (std::size_t i = 0; i < columns.given.size(); ++i)
    parts[at(columns.given[i])].push_back(static_cast<Index>(i));
  return parts;
}

SplitIndices fold_split(const SplitColumns& columns, const SplitOptions& options,
                        const std::vector<std::string>& class_names, std::optional<Index> fold) {
  if (!fold || *fold < 0 || *fold >= options.n_folds())
    refuse("test",
           fmt::format("data.split.scheme=kfold has folds 0 to {}, and {} was asked for",
                       options.n_folds() - 1, fold ? fmt::format("fold {}", *fold) : "none"),
           "");
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
  if (share > 0 && test.empty())
    refuse("test",
           fmt::format("data.split.test={} leaves the test split empty: every one of the {} of "
                       "these {} images is too large for it",
                       share, unit_word(options), columns.label.size()),
           std::string("Raise it") + or_by_example(options));
  return parts;
}

// What training lacks, each scheme has its own reason and its own way out for.
void require_training(const SplitColumns& columns, const SplitOptions& options,
                      const std::vector<std::string>& class_names, const SplitIndices& parts,
                      const std::string& where) {
  const std::vector<Index>& train = parts[at(static_cast<Index>(Split::train))];
  std::vector<Index> counts(class_names.size());
  for (const Index i : train) ++counts[at(columns.label[at(i)])];
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] > 0) continue;
    const std::string lacks =
        fmt::format("class '{}' has no example in the training split ({} examples){}",
                    class_names[c], train.size(), where);
    const auto [examples, units] = size_of_class(columns, options, c);
    if (options.scheme == Scheme::given)
      refuse("scheme",
             fmt::format("{}: the file's /split marks {} images as train, {} as val and {} as test",
                         lacks, std::count(columns.given.begin(), columns.given.end(), 0),
                         std::count(columns.given.begin(), columns.given.end(), 1),
                         std::count(columns.given.begin(), columns.given.end(), 2)),
             "Mark some of the class as 0 in /split, or set data.split.scheme=holdout");
    refuse(options.scheme == Scheme::kfold ? "val" : "test",
           fmt::format("{}: its {} {} are all held out", lacks, units, unit_word(options)),
           fmt::format("Lower {}data.split.val, or try another data.split.seed{}",
                       options.scheme == Scheme::kfold ? "" : "data.split.test or ",
                       or_by_example(options)));
  }
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
  if (at(options.n_folds()) > units.size())
    refuse("count",
           fmt::format("data.split.count={} is more than the {} {} of these {} images",
                       options.n_folds(), units.size(), unit_word(options), all.size()),
           units.size() < 2 ? fmt::format("Folds need two {} at least{}", unit_word(options),
                                          or_by_example(options))
                            : fmt::format("Set data.split.count to at most {}{}", units.size(),
                                          or_by_example(options)));
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
    if (options.val > 0 && val.empty() && !train.empty())
      refuse("val",
             fmt::format("data.split.val={} leaves the validation split empty{}: every training {} "
                         "is too large for it",
                         options.val, where, by_group(options) ? "group" : "example"),
             std::string("Raise it") + or_by_example(options));
  }
  require_training(columns, options, class_names, parts, where);
  return parts;
}

}  // namespace attune
