#include "datasets/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/philox.h"
#include "base/text.h"

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

void require_two_units(const SplitColumns& columns, const SplitOptions& options,
                       const std::vector<std::string>& class_names) {
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    const auto [examples, units] = size_of_class(columns, options, c);
    if (units != 1) continue;
    refuse("by",
           fmt::format("class '{}' has one {} only, with {} of its examples, so that k folds "
                       "cannot hold it out: the fold that tests it leaves none of it to train on",
                       class_names[c], by_group(options) ? "group" : "example", examples),
           fmt::format("Leave its examples out, or bring some of other {}{}", unit_word(options),
                       by_group(options) && examples > 1
                           ? ", or set data.split.by=example, which trains and tests on one group"
                           : ""));
  }
}

std::string given_name(std::int32_t split) {
  return std::string(split < 0 ? "none" : name_of(static_cast<Split>(split)));
}
std::string fold_name(std::int32_t fold) { return fold < 0 ? "none" : std::to_string(fold); }

// Of a column of the file, /split or /fold, which says in which `part` an example is.
void require_whole_groups(std::span<const std::int32_t> group, std::span<const std::int32_t> given,
                          const char* part, std::string (*name)(std::int32_t)) {
  std::map<Index, std::int32_t> part_of;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto [known, first] = part_of.emplace(group[i], given[i]);
    if (first || known->second == given[i]) continue;
    refuse("scheme",
           fmt::format("group {} stands in two {}s of the file's /{}, {} and {}", group[i], part,
                       part, name(known->second), name(given[i])),
           fmt::format("Give the whole group to one {} there, or set data.split.by=example, which "
                       "allows it",
                       part));
  }
}

// Folds as the file has them.
std::vector<Index> published_folds(const SplitColumns& columns, const SplitOptions& options) {
  std::vector<Index> sizes;
  for (const std::int32_t f : columns.fold) {
    if (f < 0) continue;
    sizes.resize(std::max(sizes.size(), at(f) + 1));
    ++sizes[at(f)];
  }
  const auto empty = std::find(sizes.begin(), sizes.end(), 0);
  if (empty != sizes.end())
    refuse("count",
           fmt::format("fold {} of the file's /fold has no example, and there are folds to {}",
                       empty - sizes.begin(), sizes.size() - 1),
           "Number the folds there from 0 without gaps");
  if (sizes.size() < 2)
    refuse("count", fmt::format("the file's /fold has {} folds, and two are needed", sizes.size()),
           "Leave data.folds out: folds are dealt then");
  if (static_cast<Index>(sizes.size()) != options.n_folds())
    refuse("count",
           fmt::format("data.split.count={}, and the file's /fold has {} folds", options.n_folds(),
                       sizes.size()),
           fmt::format("Set data.split.count={}", sizes.size()));
  if (by_group(options)) require_whole_groups(columns.group, columns.fold, "fold", fold_name);
  return {columns.fold.begin(), columns.fold.end()};
}

SplitIndices given_split(const SplitColumns& columns, const SplitOptions& options) {
  if (columns.given.empty())
    refuse("scheme", "data.split.scheme=given, and the file has no /split",
           "Write one into it (0 train, 1 val, 2 test), or set data.split.scheme=holdout");
  if (by_group(options)) require_whole_groups(columns.group, columns.given, "split", given_name);
  SplitIndices parts;
  for (std::size_t i = 0; i < columns.given.size(); ++i)
    if (columns.given[i] >= 0) parts[at(columns.given[i])].push_back(static_cast<Index>(i));
  return parts;
}

SplitIndices fold_split(const SplitColumns& columns, const SplitOptions& options,
                        const std::vector<std::string>& class_names, std::optional<Index> fold) {
  if (!fold || *fold < 0 || *fold >= options.n_folds())
    refuse("test",
           fmt::format("data.split.scheme=kfold has folds 0 to {}, and {} was asked for",
                       options.n_folds() - 1, fold ? fmt::format("fold {}", *fold) : "none"),
           "");
  const std::vector<Index> fold_of = columns.fold.empty()
                                         ? deal_folds(columns, options, class_names)
                                         : published_folds(columns, options);
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
  test = take_share(columns, train, options.test_share(), options, "test", n_classes);
  return parts;
}

bool by_folds(const SplitOptions& options) { return options.scheme == Scheme::kfold; }

// As split_examples, but for what the parts may lack.
SplitIndices parts_of(const SplitColumns& columns, const SplitOptions& options,
                      const std::vector<std::string>& class_names, std::optional<Index> fold) {
  const std::size_t n_classes = class_names.size();
  SplitIndices parts = options.scheme == Scheme::given ? given_split(columns, options)
                       : by_folds(options) ? fold_split(columns, options, class_names, fold)
                                           : holdout_split(columns, options, n_classes);
  auto& [train, val, test] = parts;
  if (val.empty())
    val = take_share(columns, train, options.val, options,
                     by_folds(options) ? fmt::format("val of fold {}", *fold) : "val", n_classes);
  return parts;
}

// The first part that was asked for and has no example.
std::optional<Split> empty_part(const SplitIndices& parts, const SplitOptions& options) {
  const auto empty = [&](Split split) { return parts[at(static_cast<Index>(split))].empty(); };
  if (options.scheme == Scheme::holdout && options.test_share() > 0 && empty(Split::test))
    return Split::test;
  if (options.val > 0 && empty(Split::val) && !empty(Split::train)) return Split::val;
  return std::nullopt;
}

// The first class without training examples.
std::optional<std::size_t> untrained_class(const SplitColumns& columns, const SplitIndices& parts,
                                           std::size_t n_classes) {
  std::vector<bool> seen(n_classes);
  for (const Index i : parts[at(static_cast<Index>(Split::train))])
    seen[at(columns.label[at(i)])] = true;
  const auto first = std::find(seen.begin(), seen.end(), false);
  if (first == seen.end()) return std::nullopt;
  return static_cast<std::size_t>(first - seen.begin());
}

// Whether all trials of these options have what they need.
bool works(const SplitColumns& columns, const SplitOptions& options,
           const std::vector<std::string>& class_names) {
  std::vector<std::optional<Index>> folds = {std::nullopt};
  if (by_folds(options)) {
    const std::vector<Index> trials = options.folds();
    folds.assign(trials.begin(), trials.end());
  }
  try {
    return std::all_of(folds.begin(), folds.end(), [&](std::optional<Index> fold) {
      const SplitIndices parts = parts_of(columns, options, class_names, fold);
      return !empty_part(parts, options) && !untrained_class(columns, parts, class_names.size());
    });
  } catch (const KeyedDataError&) {
    return false;
  }
}

// Which change of one key works, each tried: advice from one fold or part alone goes in circles.
std::string what_works(const SplitColumns& columns, const SplitOptions& options,
                       const std::vector<std::string>& class_names) {
  std::vector<std::string> advice;
  const auto attempt = [&](const SplitOptions& changed, const std::string& text) {
    const bool good = works(columns, changed, class_names);
    if (good) advice.push_back(text);
    return good;
  };
  std::vector<double> shares = {0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7};
  const auto nearest = [&](double to) {
    std::stable_sort(shares.begin(), shares.end(),
                     [to](double a, double b) { return std::abs(a - to) < std::abs(b - to); });
    return shares;
  };
  SplitOptions changed = options;
  for (const double share : nearest(options.val)) {
    changed.val = share;
    if (attempt(changed, fmt::format("data.split.val={}", share))) break;
  }
  changed = options;
  if (options.scheme == Scheme::holdout)
    for (const double share : nearest(options.test_share())) {
      changed.test = share;
      if (attempt(changed, fmt::format("data.split.test={}", share))) break;
    }
  changed = options;
  if (by_folds(options) && !std::holds_alternative<std::vector<Index>>(options.test))
    for (const Index count : {2, 3, 4, 5, 10}) {
      changed.count = count;
      if (count != options.n_folds() && attempt(changed, fmt::format("data.split.count={}", count)))
        break;
    }
  changed = options;
  if (options.scheme != Scheme::given)
    for (changed.seed = 0; changed.seed < 10; ++changed.seed)
      if (attempt(changed, fmt::format("data.split.seed={}", changed.seed))) break;
  changed = options;
  changed.by = SplitOptions::By::example;
  if (by_group(options)) attempt(changed, "data.split.by=example");
  changed = options;
  changed.val = 0;
  if (options.val > 0) attempt(changed, "data.split.val=0 with select.how=last");
  if (advice.empty())
    return fmt::format("No other value of one key helps: bring examples of more {}",
                       unit_word(options));
  return "What works is " + join(advice, ", or ");
}

void require_parts(const SplitColumns& columns, const SplitOptions& options,
                   const std::vector<std::string>& class_names, const SplitIndices& parts,
                   const std::string& where) {
  const auto empty = empty_part(parts, options);
  if (!empty) return;
  const bool test = *empty == Split::test;
  refuse(test ? "test" : "val",
         fmt::format("data.split.{}={} leaves the {} split empty{}: every {}{} is too large for it",
                     name_of(*empty), test ? options.test_share() : options.val,
                     test ? "test" : "validation", where, test ? "" : "training ",
                     by_group(options) ? "group" : "example"),
         what_works(columns, options, class_names));
}

// What training lacks, each scheme has its own reason and its own way out for.
void require_training(const SplitColumns& columns, const SplitOptions& options,
                      const std::vector<std::string>& class_names, const SplitIndices& parts,
                      const std::string& where) {
  const auto c = untrained_class(columns, parts, class_names.size());
  if (!c) return;
  const std::string lacks =
      fmt::format("class '{}' has no example in the training split ({} examples){}",
                  class_names[*c], parts[at(static_cast<Index>(Split::train))].size(), where);
  const auto marked = [&](int split) {
    return std::count(columns.given.begin(), columns.given.end(), split);
  };
  if (options.scheme == Scheme::given)
    refuse("scheme",
           fmt::format("{}: the file's /split marks {} examples as train, {} as val and {} as test",
                       lacks, marked(0), marked(1), marked(2)),
           "Mark some of the class as 0 in /split, or set data.split.scheme=holdout");
  const std::size_t units = size_of_class(columns, options, *c).units;
  refuse(by_folds(options) ? "val" : "test",
         fmt::format("{}: its {} {} are all held out", lacks, units, unit_word(options)),
         what_works(columns, options, class_names));
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
           fmt::format("data.split.count={} is more than the {} {} of these {} examples",
                       options.n_folds(), units.size(), unit_word(options), all.size()),
           units.size() < 2 ? fmt::format("Folds need two {} at least{}", unit_word(options),
                                          or_by_example(options))
                            : fmt::format("Set data.split.count to at most {}{}", units.size(),
                                          or_by_example(options)));
  require_two_units(columns, options, class_names);
  const std::vector<std::size_t> fold_of_unit = deal(units, options, class_names.size());
  std::vector<Index> fold_of(all.size());
  for (std::size_t u = 0; u < units.size(); ++u)
    for (const Index i : units[u].examples) fold_of[at(i)] = static_cast<Index>(fold_of_unit[u]);
  return fold_of;
}

SplitIndices split_examples(const SplitColumns& columns, const SplitOptions& options,
                            const std::vector<std::string>& class_names,
                            std::optional<Index> fold) {
  SplitIndices parts = parts_of(columns, options, class_names, fold);
  const std::string where =
      by_folds(options) ? fmt::format(" when fold {} of {} is tested", *fold, options.n_folds())
                        : "";
  require_parts(columns, options, class_names, parts, where);
  require_training(columns, options, class_names, parts, where);
  return parts;
}

}  // namespace attune
