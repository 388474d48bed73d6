#include "study/verify.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <type_traits>

#include "base/text.h"

namespace attune {
namespace {

template <class T>
bool same_bits(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
  } else {
    return a == b;
  }
}

// "[2, 3]" of the element in row-major order; empty for a scalar.
std::string place_in_shape(Index element, const std::vector<Index>& dims) {
  std::vector<std::string> places(dims.size());
  for (std::size_t d = dims.size(); d-- > 0;) {
    places[d] = std::to_string(element % dims[d]);
    element /= dims[d];
  }
  return dims.empty() ? "" : fmt::format("[{}]", join(places));
}

// A word, or a number with all its digits.
template <class T>
std::string shown(const T& value) {
  return fmt::format("{}", value);
}

class Comparer {
 public:
  // Arrays of one length: `place(i)` and `step(i)` of the first element that differs.
  template <class T, class Place, class Step>
  bool array(const std::string& path, const std::vector<T>& recorded,
             const std::vector<T>& repeated, const Place& place, const Step& step) {
    if (recorded.size() != repeated.size()) {
      add({path, std::nullopt, fmt::format("{} values", recorded.size()),
           fmt::format("{} values", repeated.size())});
      return false;
    }
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      if (same_bits(recorded[i], repeated[i])) continue;
      add({path + place(i), step(i), shown(recorded[i]), shown(repeated[i])});
      return false;
    }
    return true;
  }
  template <class T>
  bool array(const std::string& path, const std::vector<T>& recorded,
             const std::vector<T>& repeated, const std::vector<Index>& dims = {}) {
    const auto place = [&dims](std::size_t i) {
      return dims.empty() ? fmt::format("[{}]", i) : place_in_shape(static_cast<Index>(i), dims);
    };
    return array(path, recorded, repeated, place,
                 [](std::size_t) { return std::optional<Index>(); });
  }
  template <class T>
  void scalar(const std::string& path, const T& recorded, const T& repeated,
              std::optional<Index> step = {}) {
    if (!same_bits(recorded, repeated)) add({path, step, shown(recorded), shown(repeated)});
  }
  // Of two maps by name, what both have; the rest is named.
  template <class T, class Compare>
  void by_name(const std::string& path, const std::map<std::string, T>& recorded,
               const std::map<std::string, T>& repeated, const Compare& compare) {
    for (const auto& [name, value] : recorded) {
      const auto same = repeated.find(name);
      if (same == repeated.end()) {
        add({path + name, std::nullopt, "present", "absent"});
      } else {
        compare(path + name, value, same->second);
      }
    }
    for (const auto& [name, value] : repeated)
      if (!recorded.contains(name)) add({path + name, std::nullopt, "absent", "present"});
  }
  void add(ValueDifference difference) { found_.push_back(std::move(difference)); }

  // By step; parameters first, because they are what the others are made of.
  std::vector<ValueDifference> in_order() {
    const auto rank = [](const ValueDifference& d) {
      return std::pair(d.step.value_or(std::numeric_limits<Index>::max()),
                       !d.where.starts_with("/weights"));
    };
    std::stable_sort(found_.begin(), found_.end(),
                     [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    return std::move(found_);
  }

 private:
  std::vector<ValueDifference> found_;
};

void compare_metrics(Comparer& out, const std::string& path, const MetricTable& recorded,
                     const MetricTable& repeated) {
  const auto series = [](const MetricTable& table) {
    std::map<std::string, std::vector<double>> all;
    for (std::size_t m = 0; m < table.info.size(); ++m) all[table.info[m].name] = table.values[m];
    return all;
  };
  out.array(path + "/step", recorded.step, repeated.step);
  const std::vector<Index>& steps = recorded.step;
  out.by_name(path + "/", series(recorded), series(repeated),
              [&](const std::string& where, const auto& a, const auto& b) {
                out.array(
                    where, a, b, [&](std::size_t i) { return fmt::format("[step={}]", steps[i]); },
                    [&](std::size_t i) { return std::optional(steps[i]); });
              });
}

void compare_probes(Comparer& out, const std::string& path, const ProbeTable& recorded,
                    const ProbeTable& repeated) {
  const std::vector<Dimension>& dims = recorded.dimensions;
  const auto quantities = [](const ProbeTable& table) {
    std::map<std::string, std::vector<double>> all;
    for (const auto& quantity : table.quantities) all[quantity.name] = quantity.values;
    return all;
  };
  for (std::size_t d = 0; d < dims.size() && d < repeated.dimensions.size(); ++d) {
    out.array(path + "/" + dims[d].name, dims[d].numbers, repeated.dimensions[d].numbers);
    out.array(path + "/" + dims[d].name, dims[d].words, repeated.dimensions[d].words);
  }
  // Where along each dimension the element lies, outermost first.
  const auto coordinates = [&dims](std::size_t i) {
    std::vector<std::size_t> at(dims.size());
    for (std::size_t d = dims.size(); d-- > 0;) {
      const auto n = static_cast<std::size_t>(std::max<Index>(1, dims[d].size()));
      at[d] = i % n;
      i /= n;
    }
    return at;
  };
  const auto place = [&](std::size_t i) {
    const std::vector<std::size_t> at = coordinates(i);
    std::vector<std::string> parts;
    for (std::size_t d = 0; d < dims.size(); ++d)
      parts.push_back(fmt::format(
          "{}={}", dims[d].name,
          dims[d].words.empty() ? std::to_string(dims[d].numbers[at[d]]) : dims[d].words[at[d]]));
    return fmt::format("[{}]", join(parts));
  };
  const auto step = [&](std::size_t i) {
    const std::vector<std::size_t> at = coordinates(i);
    for (std::size_t d = 0; d < dims.size(); ++d)
      if (dims[d].name == "step" && dims[d].words.empty())
        return std::optional(dims[d].numbers[at[d]]);
    return std::optional<Index>();
  };
  out.by_name(path + "/", quantities(recorded), quantities(repeated),
              [&](const std::string& where, const auto& a, const auto& b) {
                out.array(where, a, b, place, step);
              });
}

void compare_predictions(Comparer& out, const std::string& path, const Predictions& a,
                         const Predictions& b) {
  out.array(path + "/example", a.example, b.example);
  out.array(path + "/group", a.group, b.group);
  out.array(path + "/target", a.target, b.target);
  out.array(path + "/position", a.position, b.position);
  out.array(path + "/output", a.output, b.output,
            {static_cast<Index>(a.example.size()), std::max<Index>(1, a.n_outputs)});
  out.array(path + "/sequence", a.sequence, b.sequence);
  out.array(path + "/decoded", a.decoded, b.decoded,
            {static_cast<Index>(a.sequence.size()), std::max<Index>(1, a.n_decoded)});
}

// Sets in order of step; tensors in order of name, as they are stored.
void compare_weights(Comparer& out, const RunContent& recorded, const RunContent& repeated,
                     RunDifference& difference) {
  std::map<std::string, const WeightSet*> again;
  for (const WeightSet& set : repeated.weights) again[set.which] = &set;
  std::vector<const WeightSet*> sets;
  for (const WeightSet& set : recorded.weights) sets.push_back(&set);
  std::stable_sort(sets.begin(), sets.end(),
                   [](const auto* a, const auto* b) { return a->step < b->step; });
  for (const WeightSet* set : sets) {
    const std::string path =
        set == &recorded.weights.front() ? "/weights/" : fmt::format("/weights/{}/", set->which);
    const auto other = again.find(set->which);
    if (other == again.end()) {
      out.add({path, set->step, "present", "absent"});
      continue;
    }
    out.scalar(path + "@step", set->step, other->second->step);
    Index n_differ = 0;
    for (const NamedTensor& tensor : set->tensors) {
      const auto& tensors = other->second->tensors;
      const auto same = std::find_if(tensors.begin(), tensors.end(),
                                     [&](const NamedTensor& t) { return t.name == tensor.name; });
      if (same == tensors.end()) {
        out.add({path + tensor.name, set->step, "present", "absent"});
        ++n_differ;
        continue;
      }
      std::vector<Index> dims;
      for (int d = 0; d < tensor.shape.rank(); ++d) dims.push_back(tensor.shape[d]);
      n_differ += !out.array(
          path + tensor.name, tensor.values, same->values,
          [&](std::size_t i) { return place_in_shape(static_cast<Index>(i), dims); },
          [&](std::size_t) { return std::optional(set->step); });
    }
    if (n_differ > 0 && difference.n_tensors_differ == 0) {
      difference.weights_step = set->step;
      difference.n_tensors = static_cast<Index>(set->tensors.size());
      difference.n_tensors_differ = n_differ;
    }
  }
}

void compare_hashes(const RunContent& recorded, const RunContent& repeated,
                    RunDifference& difference) {
  const std::size_t n = std::min(recorded.hash.size(), repeated.hash.size());
  for (std::size_t i = 0; i < n && !difference.differs_at; ++i) {
    const bool same =
        recorded.hash[i] == repeated.hash[i] && recorded.hash_step[i] == repeated.hash_step[i];
    (same ? difference.same_at : difference.differs_at) = recorded.hash_step[i];
  }
}

std::string text_at(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* at = &json;
  for (const std::string_view key : path) {
    at = at->find(key);
    if (!at) return {};
  }
  return at->text() ? *at->text() : std::string();
}

std::string build_text(const RunHead& head, const Json& metadata) {
  const std::string commit = text_at(metadata, {"build", "commit"});
  return head.build_id + (commit.empty() ? "" : fmt::format(", commit {:.12}", commit));
}

// "the processor was X, and is Y" for each fact that differs.
std::vector<std::string> machine_changes(const Json& before, const Json& now) {
  std::vector<std::string> changes;
  const auto compare = [&](const char* what, std::initializer_list<std::string_view> path) {
    const std::string was = text_at(before, path), is = text_at(now, path);
    if (!was.empty() && was != is)
      changes.push_back(fmt::format("{} was {}, and is {} here", what, was, is));
  };
  compare("the instruction set", {"build", "isa"});
  compare("the processor", {"where", "processor"});
  compare("the compiler", {"build", "compiler"});
  const Json* build = before.find("build");
  const Json* libraries = build ? build->find("libraries") : nullptr;
  if (libraries && libraries->map())
    for (const auto& [name, version] : *libraries->map())
      compare(name.c_str(), {"build", "libraries", name});
  return changes;
}

}  // namespace

RunDifference compare_runs(const RunFile& recorded, const RunFile& repeated) {
  RunDifference difference;
  Comparer out;
  const RunContent &a = recorded.content, &b = repeated.content;
  compare_hashes(a, b, difference);
  compare_weights(out, a, b, difference);
  out.by_name(
      "/metrics/", a.metrics, b.metrics,
      [&](const auto& where, const auto& x, const auto& y) { compare_metrics(out, where, x, y); });
  const auto probes = [](const RunContent& content) {
    std::map<std::string, ProbeTable> all;
    for (const ProbeTable& table : content.probes) all.emplace(table.name, table);
    return all;
  };
  out.by_name(
      "/probes/", probes(a), probes(b),
      [&](const auto& where, const auto& x, const auto& y) { compare_probes(out, where, x, y); });
  const auto finals = [](const RunContent& content) {
    std::map<std::string, double> all;
    for (const FinalMetric& m : content.final) all[m.split + "_" + m.name] = m.value;
    return all;
  };
  out.by_name("/final/", finals(a), finals(b),
              [&](const auto& where, double x, double y) { out.scalar(where, x, y); });
  out.by_name("/predictions/", a.predictions, b.predictions,
              [&](const auto& where, const auto& x, const auto& y) {
                compare_predictions(out, where, x, y);
              });
  out.scalar("/@status", a.status, b.status);
  out.scalar("/@steps", a.steps, b.steps);
  out.array("/@class_names", a.class_names, b.class_names);
  out.array("/@token_names", a.token_names, b.token_names);
  out.array("/hashes/step", a.hash_step, b.hash_step);
  difference.values = out.in_order();
  return difference;
}

const char* name_of(DifferenceCause::Kind kind) {
  switch (kind) {
    case DifferenceCause::Kind::build:
      return "another build";
    case DifferenceCause::Kind::machine:
      return "another machine type";
    case DifferenceCause::Kind::unknown:
      return "unknown";
    case DifferenceCause::Kind::changed:
      return "changed after it was written";
    case DifferenceCause::Kind::real:
      return "same build and machine type";
  }
  return "unknown";
}

DifferenceCause cause_of_difference(const RunHead& recorded, const Json& recorded_metadata,
                                    const RunHead& repeated, const Json& repeated_metadata) {
  using Kind = DifferenceCause::Kind;
  const std::vector<std::string> machine = machine_changes(recorded_metadata, repeated_metadata);
  const std::string also = machine.empty() ? "" : fmt::format(" And {}.", join(machine, "; "));
  // With ISA native, another machine type has another build_id too.
  const std::string isa = text_at(recorded_metadata, {"build", "isa"});
  const bool other_isa = !isa.empty() && isa != text_at(repeated_metadata, {"build", "isa"});
  if (recorded.build_id != repeated.build_id && !other_isa)
    return {Kind::build,
            fmt::format("Another build wrote it ({}; this one is {}), whose numbers may differ: "
                        "repeat it with that build.{}",
                        build_text(recorded, recorded_metadata),
                        build_text(repeated, repeated_metadata), also)};
  if (!machine.empty())
    return {Kind::machine,
            fmt::format("Another machine type wrote it: {}. Bytes are promised on one machine "
                        "type; a build of the preset `portable` has the same on all x86-64-v3.",
                        join(machine, "; "))};
  if (recorded_metadata.is_null())
    return {Kind::unknown,
            "This build wrote it, but no metadata beside it says on which machine, nor whether its "
            "bytes are those that were written."};
  return {Kind::real,
          "This build wrote it on this machine type, which promises the same bytes: the file was "
          "changed after it was written, or this is a fault of attune or of the machine. Please "
          "report it when a second `verify` says the same."};
}

}  // namespace attune
