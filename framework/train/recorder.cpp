#include "train/recorder.h"

#include <algorithm>

namespace attune {

void Recorder::declare(const std::string& split, std::vector<MetricInfo> metrics) {
  MetricTable& table = content_.metrics[split];
  table.values.resize(metrics.size());
  table.info = std::move(metrics);
}

void Recorder::row(const std::string& split, Index step, std::span<const double> values) {
  on_metrics(split, step, values);
  append_metrics(split, step, values);
}

void Recorder::append_metrics(const std::string& split, Index step,
                              std::span<const double> values) {
  const auto found = content_.metrics.find(split);
  ATTUNE_CHECK(found != content_.metrics.end() && found->second.info.size() == values.size(),
               StorageError, "split '{}' got {} metrics, and declared another number", split,
               values.size());
  MetricTable& table = found->second;
  table.step.push_back(step);
  for (std::size_t i = 0; i < values.size(); ++i) table.values[i].push_back(values[i]);
}

void Recorder::declare_probe(ProbeTable probe) { content_.probes.push_back(std::move(probe)); }

void Recorder::probe_row(const std::string& probe, Index step, std::span<const double> values) {
  on_probe(probe, step, values);
  append_probe(probe, step, values);
}

void Recorder::append_probe(const std::string& probe, Index step, std::span<const double> values) {
  const auto found = std::find_if(content_.probes.begin(), content_.probes.end(),
                                  [&](const ProbeTable& p) { return p.name == probe; });
  ATTUNE_CHECK(found != content_.probes.end() && !found->quantities.empty() &&
                   values.size() % found->quantities.size() == 0,
               StorageError, "probe '{}' got {} values, and declared another number", probe,
               values.size());
  found->dimensions[0].numbers.push_back(step);
  const std::size_t each = values.size() / found->quantities.size();
  for (std::size_t q = 0; q < found->quantities.size(); ++q) {
    const auto part = values.subspan(q * each, each);
    auto& kept = found->quantities[q].values;
    kept.insert(kept.end(), part.begin(), part.end());
  }
}

void Recorder::hash(Index step, std::uint64_t hash) {
  on_hash(step, hash);
  append_hash(step, hash);
}

void Recorder::append_hash(Index step, std::uint64_t hash) {
  content_.hash_step.push_back(step);
  content_.hash.push_back(hash);
}

}  // namespace attune
