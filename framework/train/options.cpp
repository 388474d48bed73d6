#include "train/options.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "train/metrics.h"

namespace attune {
namespace {

std::optional<Index> as_integer(const std::string& text) {
  Index n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

std::vector<std::string> metric_paths() {
  std::vector<std::string> paths;
  for (const char* split : {"train", "val", "test"})
    for (const MetricInfo& m : classification_metrics())
      if (split != std::string("train") || m.name == "loss" || m.name == "accuracy")
        paths.push_back(split + ("/" + m.name));
  return paths;
}

bool is_metric_path(const std::string& path, std::string& why) {
  const std::vector<std::string> known = metric_paths();
  if (std::find(known.begin(), known.end(), path) != known.end()) return true;
  why = fmt::format("'{}' is no metric; there are {}", path, join(known));
  return false;
}

void StopOptions::fields(FieldList& f) {
  f.custom(
      "metric", "val/loss, or [val/loss, val/accuracy]: any of them counts",
      [this](const Literal& literal) -> std::string {
        if (literal.items.empty()) return "names no metric";
        for (const std::string& path : literal.items) {
          std::string why;
          if (!is_metric_path(path, why)) return "cannot be waited for: " + why;
          if (!path.starts_with("val/"))
            return fmt::format("would end training by {} data: allowed are metrics of val",
                               path.substr(0, path.find('/')));
        }
        metrics = literal.items;
        return {};
      },
      [this]() -> FieldValue {
        return metrics.size() == 1 ? FieldValue(metrics.front()) : FieldValue(metrics);
      },
      Role::result, "what must become better than ever before");
  f.integer("patience", patience, {1, 1e9}, Role::result,
            "steps that training goes on for without that");
}

void TrainOptions::fields(FieldList& f) {
  f.integer("steps", steps, {0, 1e9}, Role::result,
            "optimiser steps; 0 measures at initialisation");
  f.integer("batch_tokens", batch_tokens, {1, 1e8}, Role::result,
            "tokens that the packed examples of a batch may have");
  f.integer("batch_size", batch_size, {1, 1e7}, Role::result,
            "examples a batch, in place of batch_tokens");
  f.integer("eval_every", eval_every, {1, 1e9}, Role::result,
            "steps from one evaluation to the next; the last step is always evaluated");
  f.optional_group("stop", stop, "ends training early, where validation gets no better");
  f.path("init_from", init_from, Role::result,
         "a file with /weights to start from, in place of the seed's initial parameters");
}

void SelectOptions::fields(FieldList& f) {
  f.text("by", by, Role::result, "metric that chooses the step");
  f.choice("goal", goal, {{"minimize", Goal::minimize}, {"maximize", Goal::maximize}}, Role::result,
           "whether less or more of it is better");
  f.choice("how", how, {{"best", How::best}, {"last", How::last}}, Role::result,
           "the best evaluated step, or the last");
  f.rule([this]() -> std::optional<Complaint> {
    std::string why;
    if (!is_metric_path(by, why)) return Complaint{"by", why, "", {}};
    const std::string_view wanted = goal == Goal::minimize ? "minimize" : "maximize";
    for (const MetricInfo& m : classification_metrics())
      if (m.name == metric() && m.goal != wanted)
        return Complaint{"goal",
                         fmt::format("goal={} would choose the step with the worst {}", wanted, by),
                         fmt::format("set select.goal={}", m.goal),
                         {"by"}};
    if (by.starts_with("val/")) return std::nullopt;
    return Complaint{"by",
                     fmt::format("by={} would choose on {} data", by, by.substr(0, by.find('/'))),
                     "choose on validation data: val/loss or val/accuracy",
                     {}};
  });
}

void NumericsOptions::fields(FieldList& f) {
  f.choice("nan", nan, {{"record", Nan::record}, {"stop_study", Nan::stop_study}}, Role::study,
           "a diverged trial is recorded as an outcome, or ends the study");
}

void CheckpointOptions::fields(FieldList& f) {
  f.custom(
      "every", "200 (steps) or 30s (seconds)",
      [this](const Literal& literal) -> std::string {
        const std::string text = literal.is_list || literal.items.empty() ? "" : literal.items[0];
        const bool timed = text.ends_with("s");
        const auto n = as_integer(timed ? text.substr(0, text.size() - 1) : text);
        if (!n || *n < 1) return "is neither a number of steps nor of seconds such as 30s";
        steps = timed ? 0 : *n;
        seconds = timed ? static_cast<double>(*n) : 0;
        return {};
      },
      [this]() -> FieldValue {
        if (seconds > 0) return fmt::format("{}s", static_cast<Index>(seconds));
        return steps;
      },
      Role::operation, "how often a running trial is saved");
}

void ResultsOptions::fields(FieldList& f) {
  f.texts("save_parameters", save_parameters, Role::result,
          "steps whose parameters the run file keeps: chosen, initial, last, or step numbers");
  f.texts("predictions", predictions, Role::result,
          "splits whose outputs the run file keeps: val, test");
  f.integer("hash_every", hash_every, {1, 1e9}, Role::result,
            "steps from one hash of all parameters to the next");
  f.rule([this]() -> std::optional<Complaint> {
    for (const std::string& split : predictions)
      if (split != "val" && split != "test")
        return Complaint{"predictions",
                         fmt::format("predictions has '{}'", split),
                         "allowed are val and test",
                         {}};
    for (const std::string& which : save_parameters) {
      const bool word = which == "chosen" || which == "initial" || which == "last";
      const auto step = as_integer(which);
      if (!word && !(step && *step >= 0))
        return Complaint{"save_parameters",
                         fmt::format("save_parameters has '{}'", which),
                         "allowed are chosen, initial, last and step numbers",
                         {}};
    }
    return std::nullopt;
  });
}

void MetricsOption::fields(FieldList& f) {
  f.texts("metrics", shown, Role::study, "columns of the tables, split/metric each");
  f.rule([this]() -> std::optional<Complaint> {
    std::string why;
    for (const std::string& path : shown)
      if (!is_metric_path(path, why)) return Complaint{"metrics", why, "", {}};
    for (auto path = shown.begin(); path != shown.end(); ++path)
      if (std::find(path + 1, shown.end(), *path) != shown.end())
        return Complaint{"metrics", fmt::format("metrics has '{}' twice", *path), "", {}};
    return std::nullopt;
  });
}

}  // namespace attune
