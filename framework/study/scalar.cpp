#include "study/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "storage/metadata.h"
#include "train/metrics.h"
#include "train/options.h"
#include "train/probes.h"

namespace attune {
namespace {

std::optional<Index> whole_number(std::string_view text) {
  Index value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<Scalar> parse_probe(Scalar scalar, std::string_view text, std::string& why) {
  const std::size_t open = text.find('['), close = text.find(']');
  const std::size_t slash = text.find('/', close == text.npos ? 0 : close);
  if ((open == text.npos) != (close == text.npos) || close < open || slash == text.npos ||
      slash + 1 >= text.size() || (close != text.npos && slash != close + 1)) {
    why = "must have the form 'probes/NAME[dimension=where,…]/QUANTITY'";
    return std::nullopt;
  }
  scalar.source = Scalar::Source::probe;
  scalar.split = text.substr(0, std::min(open, slash));
  scalar.name = text.substr(slash + 1);
  if (open == text.npos) return scalar;
  for (const std::string_view part : split(text.substr(open + 1, close - open - 1), ',')) {
    const std::size_t equals = part.find('=');
    if (equals == part.npos) {
      why = fmt::format("has '{}', which is no dimension=where", part);
      return std::nullopt;
    }
    scalar.coordinates.emplace_back(trim(part.substr(0, equals)), trim(part.substr(equals + 1)));
  }
  return scalar;
}

// Places along a dimension that a coordinate names.
std::vector<std::size_t> places_of(const Dimension& dimension, const std::string* where) {
  const auto n = static_cast<std::size_t>(dimension.size());
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string at =
        dimension.words.empty() ? std::to_string(dimension.numbers[i]) : dimension.words[i];
    const bool taken = where == nullptr || *where == at || (*where == "first" && i == 0) ||
                       (*where == "last" && i + 1 == n);
    if (taken) places.push_back(i);
  }
  return places;
}

std::vector<double> of_probe(const Scalar& scalar, const std::string& path) {
  const ProbeTable table = read_probe(path, scalar.split);
  const auto quantity =
      std::find_if(table.quantities.begin(), table.quantities.end(),
                   [&](const ProbeTable::Quantity& q) { return q.name == scalar.name; });
  if (quantity == table.quantities.end()) return {};
  std::vector<std::size_t> offsets = {0};
  for (const Dimension& dimension : table.dimensions) {
    const std::string* where = nullptr;
    for (const auto& [name, at] : scalar.coordinates)
      if (name == dimension.name) where = &at;
    std::vector<std::size_t> further;
    for (const std::size_t offset : offsets)
      for (const std::size_t place : places_of(dimension, where))
        further.push_back(offset * static_cast<std::size_t>(dimension.size()) + place);
    offsets = std::move(further);
  }
  std::vector<double> values;
  for (const std::size_t offset : offsets) values.push_back(quantity->values.at(offset));
  return values;
}

std::vector<double> of_series(const Scalar& scalar, const std::string& path) {
  const MetricTable table = read_series(path, scalar.split);
  for (std::size_t m = 0; m < table.info.size(); ++m) {
    if (table.info[m].name != scalar.name) continue;
    const std::vector<double>& series = table.values[m];
    if (series.empty()) return {};
    const bool least = table.info[m].goal != "maximize";
    switch (scalar.at) {
      case Scalar::At::first:
        return {series.front()};
      case Scalar::At::last:
        return {series.back()};
      case Scalar::At::best:
        return {least ? *std::min_element(series.begin(), series.end())
                      : *std::max_element(series.begin(), series.end())};
      case Scalar::At::step:
        for (std::size_t i = 0; i < table.step.size(); ++i)
          if (table.step[i] == scalar.step) return {series[i]};
        return {};
    }
  }
  return {};
}

std::vector<double> measured(const Scalar& scalar, const std::string& path) {
  const Json metadata = metadata_beside(path);
  const Json* all = metadata.find("measured");
  const Json* figure = all ? all->find(scalar.text) : nullptr;
  const Json* value = figure ? figure->find("value") : nullptr;
  const auto number = value ? value->real() : figure ? figure->real() : std::nullopt;
  return number ? std::vector<double>{*number} : std::vector<double>{};
}

std::string probe_problem(const Scalar& scalar, const Row& row) {
  std::vector<std::string> names, quantities;
  for (const ProbeInfo& probe : listed_probes()) {
    names.push_back(probe.name);
    if (probe.name != scalar.split) continue;
    for (const ProbeInfo::Quantity& q : probe.quantities) quantities.push_back(q.name);
    if (std::find(quantities.begin(), quantities.end(), scalar.name) == quantities.end())
      return fmt::format("is none of the probe {}, which has {}", probe.name, join(quantities));
    for (const auto& [dimension, where] : scalar.coordinates)
      if (std::find(probe.dimensions.begin(), probe.dimensions.end(), dimension) ==
          probe.dimensions.end())
        return fmt::format("asks for the dimension {}; {} has {}", dimension, probe.name,
                           join(probe.dimensions));
    const std::string group = "probes." + probe.name + ".";
    const bool asked =
        std::any_of(row.binding.leaves.begin(), row.binding.leaves.end(),
                    [&](const BoundLeaf& bound) { return bound.leaf.key.starts_with(group); });
    return asked ? ""
                 : fmt::format("is not recorded by the row {}: set probes: {{{}: {{…}}}}", row.name,
                               probe.name);
  }
  const auto meant = did_you_mean(scalar.split, names);
  return fmt::format("names no probe{}; there are {}",
                     meant ? fmt::format(" (did you mean {}?)", *meant) : "", join(names));
}

}  // namespace

std::optional<Scalar> parse_scalar(const std::string& text, std::string& why) {
  constexpr std::string_view kProbes = "probes/";
  Scalar scalar;
  scalar.text = text;
  if (text.starts_with(kProbes))
    return parse_probe(scalar, std::string_view(text).substr(kProbes.size()), why);
  const std::size_t slash = text.find('/'), at = text.find('@');
  if (slash == text.npos || slash == 0 || slash + 1 >= std::min(text.size(), at)) {
    why =
        "is no scalar: that is split/metric[@first|last|best|STEP], "
        "'probes/NAME[layer=last]/QUANTITY', count/…, time/… or memory/…";
    return std::nullopt;
  }
  scalar.split = text.substr(0, slash);
  scalar.name = text.substr(slash + 1, at == text.npos ? at : at - slash - 1);
  if (scalar.split == "time" || scalar.split == "memory") scalar.source = Scalar::Source::measured;
  if (at == text.npos) return scalar;
  const std::string_view where = std::string_view(text).substr(at + 1);
  const auto step = whole_number(where);
  if (scalar.source == Scalar::Source::measured || scalar.is_count()) {
    why = fmt::format("has no steps, so that '@{}' says nothing of it", where);
    return std::nullopt;
  }
  scalar.source = Scalar::Source::series;
  if (where == "first") {
    scalar.at = Scalar::At::first;
  } else if (where == "last") {
    scalar.at = Scalar::At::last;
  } else if (where == "best") {
    scalar.at = Scalar::At::best;
  } else if (step && *step >= 0) {
    scalar.at = Scalar::At::step;
    scalar.step = *step;
  } else {
    why = fmt::format("asks for '@{}'; allowed are @first, @last, @best and a step number", where);
    return std::nullopt;
  }
  return scalar;
}

std::string scalar_problem(const Scalar& scalar, const Row& row) {
  if (scalar.source == Scalar::Source::probe) return probe_problem(scalar, row);
  const std::vector<std::string> recorded = row.kind_options().recorded();
  const std::string path = scalar.split + "/" + scalar.name;
  if (std::find(recorded.begin(), recorded.end(), path) != recorded.end()) return {};
  const auto meant = did_you_mean(path, recorded);
  return fmt::format("is not recorded by the row {}, of kind {}{}; it has {}", row.name,
                     row.kind().name, meant ? fmt::format("; did you mean '{}'?", *meant) : "",
                     join(recorded));
}

std::vector<double> scalar_values(const Scalar& scalar, const std::string& run_path,
                                  const RunHead& head) {
  switch (scalar.source) {
    case Scalar::Source::final:
      for (const FinalMetric& m : head.final)
        if (scalar.is_final(m.split, m.name)) return {m.value};
      return {};
    case Scalar::Source::series:
      return of_series(scalar, run_path);
    case Scalar::Source::probe:
      return of_probe(scalar, run_path);
    case Scalar::Source::measured:
      return measured(scalar, run_path);
  }
  return {};
}

std::optional<std::pair<double, double>> bounds_of(const Scalar& scalar) {
  if (scalar.source != Scalar::Source::final && scalar.source != Scalar::Source::series)
    return std::nullopt;
  for (const char* share : {"accuracy", "balanced_accuracy", "auc", "token_accuracy",
                            "sequence_accuracy", "sequence_error_rate"})
    if (scalar.name == share) return std::pair(0.0, 1.0);
  return std::nullopt;
}

}  // namespace attune
