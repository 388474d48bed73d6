#include "train/probes.h"

namespace attune {

void ProbesOptions::fields(FieldList& f) {
  each(*this, [&f]<class Options>(std::optional<Options>& probe) {
    const ProbeInfo info = Options().info();
    f.optional_group(info.name, probe, info.doc);
  });
}

void ProbesOptions::rules(FieldList& f, const ModelConfig& model) const {
  each(*this, [&](const auto& probe) {
    f.rule([&probe, &model]() -> std::optional<Complaint> {
      if (!probe || model.kind.empty()) return std::nullopt;
      return probe->misfit(model.kind, model.chosen());
    });
  });
}

void ProbesOptions::check(const ModelOptions& model, const Dataset& data) const {
  each(*this, [&](const auto& probe) {
    if (!probe) return;
    if (const auto misfit = probe->misfit(model, data)) throw KeyedDataError(*misfit);
  });
}

std::vector<std::unique_ptr<Probe>> ProbesOptions::make(const ProbeSubject& subject) const {
  std::vector<std::unique_ptr<Probe>> probes;
  each(*this, [&](const auto& probe) {
    if (probe) probes.push_back(probe->make(subject));
  });
  return probes;
}

std::vector<ProbeInfo> listed_probes() {
  std::vector<ProbeInfo> infos;
  const ProbesOptions all;
  ProbesOptions::each(all, [&]<class Options>(const std::optional<Options>&) {
    infos.push_back(Options().info());
  });
  return infos;
}

}  // namespace attune
