#include "train/probe.h"

#include <algorithm>
#include <numeric>

#include "base/text.h"

namespace attune {

ProbeTable ProbeInfo::table() const {
  ProbeTable table;
  table.name = name;
  for (const std::string& dimension : dimensions) table.dimensions.push_back({dimension, {}, {}});
  for (const Quantity& q : quantities)
    table.quantities.push_back({q.name, q.units, q.long_name, {}});
  table.comment = comment;
  return table;
}

std::string ProbeOptions::key(const std::string& under) const {
  return "probes." + info().name + (under.empty() ? "" : "." + under);
}

std::optional<Complaint> ProbeOptions::misfit(const std::string& kind,
                                              const ModelOptions& model) const {
  const EncoderOptions* encoder = model.encoder();
  if (encoder && encoder->n_layers > 0) return std::nullopt;
  const std::string none = encoder ? "model.n_layers=0" : "model.kind=" + kind;
  return Complaint{
      key(),
      fmt::format("{} looks into the residual blocks over an example's rows, and {} has none",
                  key(), none),
      fmt::format("leave {} out", key()),
      {encoder ? "model.n_layers" : "model.kind"}};
}

void EveryOptions::fields(FieldList& f) {
  f.integer("every", every, {1, 1e9}, Role::result,
            "steps from one measurement to the next; the first and the last step always are");
}

void ValidationOptions::fields(FieldList& f) {
  EveryOptions::fields(f);
  f.integer("count", count, {1, 1e6}, Role::result,
            "measured on so many examples, the first of the validation split, without dropout");
}

std::optional<Complaint> ValidationOptions::misfit(const ModelOptions&, const Dataset& data) const {
  if (data.n_examples(Split::val) > 0) return std::nullopt;
  return Complaint{
      key("count"),
      fmt::format("{} is measured on validation examples, and this data has none", key()),
      "Let the data have a validation split, or leave the probe out",
      {}};
}

std::vector<Index> ValidationOptions::examples(const Dataset& data) const {
  return counted(std::min(count, data.n_examples(Split::val)));
}

ProbeTable table_by_head(const ProbeInfo& info, const ModelOptions& model) {
  ProbeTable table = info.table();
  table.dimensions[1].numbers = counted(model.n_attentions());
  table.dimensions[2].numbers = counted(model.encoder()->n_heads);
  return table;
}

std::vector<Index> counted(Index n) {
  std::vector<Index> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), Index{0});
  return numbers;
}

}  // namespace attune
