#include "launch/event_lines.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace attune {
namespace {

constexpr std::array<std::string_view, 4> kHow = {"finished", "diverged", "stopped", "failed"};

// Metrics as pairs; what JSON has no number for, as text.
Json metrics_json(const ShownMetrics& metrics) {
  Json list = Json::List{};
  for (const auto& [name, value] : metrics)
    list.push(Json(Json::List{Json(name), std::isfinite(value) ? Json(value)
                                                               : Json(std::isnan(value) ? "nan"
                                                                      : value > 0       ? "inf"
                                                                                  : "-inf")}));
  return list;
}

double number(const Json& json) {
  if (const auto value = json.real()) return *value;
  const std::string* text = json.text();
  return !text ? 0 : *text == "inf" ? INFINITY : *text == "-inf" ? -INFINITY : std::nan("");
}

const Json& at(const Json& json, const char* key) {
  const Json* value = json.find(key);
  ATTUNE_CHECK(value, DamagedError, "an event of a worker has no {}", key);
  return *value;
}
Index integer(const Json& json, const char* key) {
  const Index* value = at(json, key).integer();
  ATTUNE_CHECK(value, DamagedError, "{} of a worker's event is no whole number", key);
  return *value;
}
std::string text(const Json& json, const char* key) {
  const std::string* value = at(json, key).text();
  ATTUNE_CHECK(value, DamagedError, "{} of a worker's event is no text", key);
  return *value;
}

ShownMetrics metrics(const Json& json, const char* key) {
  ShownMetrics found;
  const Json::List* list = at(json, key).list();
  ATTUNE_CHECK(list, DamagedError, "{} of a worker's event is no list", key);
  for (const Json& pair : *list) {
    const Json::List* both = pair.list();
    ATTUNE_CHECK(both && both->size() == 2 && (*both)[0].text(), DamagedError,
                 "{} of a worker's event is no list of pairs", key);
    found.emplace_back(*(*both)[0].text(), number((*both)[1]));
  }
  return found;
}

struct Writer {
  Json json;
  Json operator()(const TrialStarted& e) {
    return json.set("event", "started")
        .set("trial", e.trial)
        .set("n_trials", e.n_trials)
        .set("stem", e.stem)
        .set("from_step", e.from_step)
        .set("n_steps", e.n_steps);
  }
  Json operator()(const Stepped& e) {
    return json.set("event", "stepped")
        .set("trial", e.trial)
        .set("step", e.step)
        .set("loss", metrics_json({{"loss", e.loss}}));
  }
  Json operator()(const Evaluated& e) {
    return json.set("event", "evaluated")
        .set("trial", e.trial)
        .set("step", e.step)
        .set("metrics", metrics_json(e.metrics));
  }
  Json operator()(const Checkpointed& e) {
    return json.set("event", "checkpointed").set("trial", e.trial).set("step", e.step);
  }
  Json operator()(const TrialEnded& e) {
    return json.set("event", "ended")
        .set("trial", e.trial)
        .set("how", kHow[static_cast<std::size_t>(e.how)])
        .set("step", e.step)
        .set("seconds", e.seconds)
        .set("final", metrics_json(e.final))
        .set("why", e.why);
  }
  Json operator()(const Notice& e) { return json.set("event", "notice").set("text", e.text); }
};

}  // namespace

Json to_json(const Event& event) { return std::visit(Writer(), event); }

Event from_json(const Json& json) {
  const std::string kind = text(json, "event");
  if (kind == "notice") return Notice{text(json, "text")};
  const Index trial = integer(json, "trial");
  if (kind == "started")
    return TrialStarted{trial, integer(json, "n_trials"), text(json, "stem"),
                        integer(json, "from_step"), integer(json, "n_steps")};
  const Index step = integer(json, "step");
  if (kind == "stepped") {
    const ShownMetrics loss = metrics(json, "loss");
    return Stepped{trial, step, loss.empty() ? 0 : loss.front().second};
  }
  if (kind == "evaluated") return Evaluated{trial, step, metrics(json, "metrics")};
  if (kind == "checkpointed") return Checkpointed{trial, step};
  const auto how = std::find(kHow.begin(), kHow.end(), kind == "ended" ? text(json, "how") : "");
  ATTUNE_CHECK(how != kHow.end(), DamagedError, "'{}' is no event of a worker", kind);
  return TrialEnded{trial,
                    static_cast<TrialEnded::How>(how - kHow.begin()),
                    step,
                    number(at(json, "seconds")),
                    metrics(json, "final"),
                    text(json, "why")};
}

std::string line_of(const Json& json) {
  std::string text = json.dump();
  // Newlines stand between values alone: within texts they are escaped.
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + "\n";
}

}  // namespace attune
