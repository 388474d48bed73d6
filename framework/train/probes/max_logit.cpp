#include "train/probes/max_logit.h"

#include <cmath>
#include <limits>

#include "base/text.h"

namespace attune {
namespace {

class MaxLogit : public Probe {
 public:
  MaxLogit(const MaxLogitOptions& options, const ProbeSubject& subject)
      : options_(options), look_(subject, Split::val, options.examples(subject.data)) {}

  ProbeTable table() const override {
    return table_by_head(options_.info(), look_.subject().model);
  }

  Row at_state(Index step) override {
    if (!options_.due(step, *look_.subject().steps)) return {};
    const ModelOptions& model = look_.subject().model;
    const auto heads = static_cast<std::size_t>(model.encoder()->n_heads);
    std::vector<double> row(static_cast<std::size_t>(model.n_attentions()) * heads,
                            -std::numeric_limits<double>::infinity());
    look_.each_query([&](std::size_t layer, const kernels::WeightRow<float>& query) {
      double& top = row[layer * heads + static_cast<std::size_t>(query.head)];
      if (!(query.largest <= top) && !std::isnan(top)) top = query.largest;
    });
    return row;
  }

 private:
  MaxLogitOptions options_;
  Look look_;
};

}  // namespace

const ProbeInfo& MaxLogitOptions::info() const {
  static const ProbeInfo info{
      "max_logit",
      "largest score that enters the normaliser of attention",
      {"step", "layer", "head"},
      {{"max_logit", "1", "largest attention score, scale, bias and temperature included"}},
      "over all pairs of a query and a key that it sees in the first validation examples, without "
      "dropout, with the parameters after `step` updates"};
  return info;
}

std::optional<Complaint> MaxLogitOptions::misfit(const std::string& kind,
                                                 const ModelOptions& model) const {
  if (auto none = ValidationOptions::misfit(kind, model)) return none;
  const std::string& attention = model.encoder()->attention.kind;
  if (attention == "exact" || attention == "linformer") return std::nullopt;
  return Complaint{
      key(),
      fmt::format("{} is the largest score, and model.attention.kind={} forms no scores", key(),
                  attention),
      fmt::format("leave {} out, or set model.attention.kind=exact", key()),
      {"model.attention.kind"}};
}

std::unique_ptr<Probe> MaxLogitOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<MaxLogit>(*this, subject);
}

}  // namespace attune
