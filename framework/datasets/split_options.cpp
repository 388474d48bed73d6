// The keys under `split`: what stands under `test` and `count` depends on the scheme.
#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "datasets/split.h"

namespace attune {
namespace {

using Scheme = SplitOptions::Scheme;

template <class T>
std::optional<T> number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr double kLargestShare = 0.9;
constexpr Index kMostFolds = 1000;

std::string read_test(const Literal& literal, SplitOptions& options) {
  if (literal.is_list) {
    std::vector<Index> folds;
    for (const std::string& item : literal.items) {
      const auto fold = number<Index>(item);
      if (!fold || *fold < 0) return fmt::format("has '{}', which is no number of a fold", item);
      folds.push_back(*fold);
    }
    std::sort(folds.begin(), folds.end());
    options.test = std::move(folds);
    return {};
  }
  if (literal.items.empty()) {
    options.test = std::monostate();
  } else if (literal.items[0] == "all") {
    options.test = SplitOptions::AllFolds();
  } else {
    const auto share = number<double>(literal.items[0]);
    if (!share || !(*share >= 0 && *share <= kLargestShare))
      return fmt::format(
          "is neither a share of 0..{} (holdout), nor all or a list of fold numbers such as "
          "[0, 2] (kfold)",
          kLargestShare);
    options.test = *share;
  }
  return {};
}

FieldValue test_value(const SplitOptions& options) {
  if (const auto* folds = std::get_if<std::vector<Index>>(&options.test)) return *folds;
  if (const auto* share = std::get_if<double>(&options.test)) return *share;
  const bool all = std::holds_alternative<SplitOptions::AllFolds>(options.test);
  if (all || options.scheme == Scheme::kfold) return std::string("all");
  return options.scheme == Scheme::holdout ? FieldValue(options.test_share()) : FieldValue();
}

std::string read_count(const Literal& literal, SplitOptions& options) {
  options.count.reset();
  if (literal.items.empty() && !literal.is_list) return {};
  const auto count = literal.is_list ? std::nullopt : number<Index>(literal.items[0]);
  if (!count || *count < 2 || *count > kMostFolds)
    return fmt::format("is no number of folds: 2..{}", kMostFolds);
  options.count = count;
  return {};
}

FieldValue count_value(const SplitOptions& options) {
  if (options.scheme == Scheme::kfold) return options.n_folds();
  return options.count ? FieldValue(*options.count) : FieldValue();
}

std::string text_of(Scheme scheme) {
  return scheme == Scheme::holdout ? "holdout" : scheme == Scheme::kfold ? "kfold" : "given";
}

// What stands under `test` must be of the scheme's kind.
std::optional<Complaint> check_test(const SplitOptions& o) {
  if (std::holds_alternative<std::monostate>(o.test)) return std::nullopt;
  const bool share = std::holds_alternative<double>(o.test);
  const std::string given = fmt::format("test={}", to_text(test_value(o)));
  if (o.scheme == Scheme::given)
    return Complaint{"test",
                     given +
                         " has no meaning with scheme=given: the file's /split says what is "
                         "tested",
                     "leave it out",
                     {"scheme"}};
  if (o.scheme == Scheme::holdout) {
    if (share) return std::nullopt;
    return Complaint{"test",
                     given + " says which folds are trials, and scheme=holdout has no folds",
                     "a hold-out takes a share of the examples, such as 0.2; folds come with "
                     "split.scheme=kfold",
                     {"scheme"}};
  }
  if (share)
    return Complaint{
        "test",
        given + " is a share of the examples, and scheme=kfold tests whole folds",
        fmt::format("all, or a list of fold numbers from 0 to {}, such as [0, 1]", o.n_folds() - 1),
        {"scheme"}};
  const std::vector<Index> folds = o.folds();
  const auto twice = std::adjacent_find(folds.begin(), folds.end());
  const std::string hint = fmt::format("all, or some of the folds 0 to {}", o.n_folds() - 1);
  if (folds.empty()) return Complaint{"test", given + " asks for no fold", hint, {}};
  if (twice != folds.end())
    return Complaint{"test", fmt::format("{} asks for fold {} twice", given, *twice), hint, {}};
  if (folds.back() >= o.n_folds())
    return Complaint{"test",
                     fmt::format("{} asks for fold {}, and count={} makes the folds 0 to {}", given,
                                 folds.back(), o.n_folds(), o.n_folds() - 1),
                     hint,
                     {"count"}};
  return std::nullopt;
}

std::optional<Complaint> check_count(const SplitOptions& o) {
  if (!o.count || o.scheme == Scheme::kfold) return std::nullopt;
  return Complaint{"count",
                   fmt::format("count={} is a number of folds, and scheme={} has no folds",
                               *o.count, text_of(o.scheme)),
                   "leave it out, or set split.scheme=kfold",
                   {"scheme"}};
}

}  // namespace

void SplitOptions::fields(FieldList& f) {
  f.choice("by", by, {{"group", By::group}, {"example", By::example}}, Role::result,
           "what is never cut apart");
  f.choice("scheme", scheme,
           {{"holdout", Scheme::holdout}, {"kfold", Scheme::kfold}, {"given", Scheme::given}},
           Role::result,
           "holdout draws one test set; kfold deals count folds, each of them the test set of a "
           "trial of its own; given takes /split of the file");
  f.custom(
      "count", "int", [this](const Literal& l) { return read_count(l, *this); },
      [this] { return count_value(*this); }, Role::result,
      "number of folds, by kfold, where it is 5 unless given");
  f.nullable("count");
  f.custom(
      "test", "0.2, all or [0, 2]", [this](const Literal& l) { return read_test(l, *this); },
      [this] { return test_value(*this); }, Role::result,
      "by holdout the share of the examples that is tested (0.2); by kfold which folds are trials, "
      "all or some numbers, in no trial's identity; nothing by given");
  f.nullable("test");
  f.role("test", [this] { return scheme == Scheme::kfold ? Role::study : Role::result; });
  f.real("val", val, {0, kLargestShare}, Role::result,
         "share of the training examples to choose on");
  f.choice("stratify", stratify, {{"label", Stratify::label}, {"none", Stratify::none}},
           Role::result, "keep the shares of the classes in every split");
  f.integer("seed", seed, {0, 4e9}, Role::result, "of the split; the run's seed never moves it");
  f.rule([this] { return check_test(*this); });
  f.rule([this] { return check_count(*this); });
}

}  // namespace attune
