#include "nn/model.h"

#include "nn/bridge.h"
#include "nn/encoder_decoder.h"
#include "nn/esa.h"
#include "nn/gnn.h"
#include "nn/gru_model.h"
#include "nn/perceiver.h"
#include "nn/perceptron.h"
#include "nn/transformer.h"

namespace attune {
namespace {

template <class Options>
std::unique_ptr<ModelOptions> make() {
  return std::make_unique<Options>();
}

}  // namespace

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {
      {"vit", "vision transformer over packed patches of images of any size", make<VitOptions>},
      {"encoder", "transformer over tokens or vectors, each row of which sees every other",
       make<EncoderModelOptions>},
      {"decoder",
       "transformer over tokens or vectors, each row of which sees those before it, unless "
       "model.attention.pattern is another one",
       make<DecoderOptions>},
      {"encoder_decoder",
       "transformer over tokens or vectors, whose decoder answers queries about them, or puts out "
       "another sequence",
       make<EncoderDecoderOptions>},
      {"gnn", "messages along the edges of graphs: GAT, GATv2, GCN, GIN, constant attention",
       make<GnnOptions>},
      {"esa", "attention over a graph as a set of its edges or nodes, masked and plain, pooled",
       make<EsaOptions>},
      {"gru",
       "recurrent units that read a sequence and put out another one, of its last states or with "
       "attention to all",
       make<GruModelOptions>},
      {"perceiver",
       "learned latent rows that read any number of rows, and answer for the example or its "
       "queries",
       make<PerceiverOptions>},
      {"bridge",
       "answers each row of a second set, by attention to the first, its mean, or its row of that "
       "number",
       make<BridgeOptions>},
      {"mlp", "perceptron with hidden layers on the mean of an example's rows", make<MlpOptions>},
      {"linear", "linear map of the mean of an example's rows: logistic regression",
       make<LinearOptions>},
  };
  return kinds;
}

Index ModelOptions::n_attentions() const { return encoder() ? encoder()->n_layers : 0; }

std::optional<Complaint> reads_no_queries(const RowSpec& spec) {
  if (!spec.queries) return std::nullopt;
  return Complaint{"kind",
                   spec.queries->decoded
                       ? "reads one sequence an example, and here one becomes another"
                       : "reads one set of rows an example, and here a second one asks about them",
                   "set model.kind=encoder_decoder",
                   {}};
}

ModelConfig::ModelConfig() {
  for (const ModelKind& each : model_kinds()) options_.push_back(each.options());
}

std::vector<FieldVariant::Alternative> ModelConfig::alternatives() {
  std::vector<FieldVariant::Alternative> all;
  for (std::size_t i = 0; i < options_.size(); ++i)
    all.push_back(
        FieldList::alternative(model_kinds()[i].name, model_kinds()[i].doc, *options_[i]));
  return all;
}

ModelOptions& ModelConfig::find(const std::string& name) const {
  for (std::size_t i = 0; i < options_.size(); ++i)
    if (model_kinds()[i].name == name) return *options_[i];
  throw ConfigError(fmt::format("model.kind={} is no kind of model", name));
}

}  // namespace attune
