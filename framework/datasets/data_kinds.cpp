#include "datasets/data_kinds.h"

#include "datasets/copy.h"
#include "datasets/dictionary.h"
#include "datasets/graph.h"
#include "datasets/images.h"
#include "datasets/labelled_rows.h"
#include "datasets/listops.h"
#include "datasets/lookup.h"
#include "datasets/max_item.h"
#include "datasets/needle.h"
#include "datasets/pairs.h"
#include "datasets/phantoms.h"
#include "datasets/recall.h"
#include "datasets/retrieval.h"
#include "datasets/text.h"
#include "datasets/transduction.h"

namespace attune {
namespace {

template <class Options>
std::unique_ptr<DataOptions> make() {
  return std::make_unique<Options>();
}

constexpr double kSolvedAt = 0.95;

}  // namespace

const std::vector<DataKind>& data_kinds() {
  static const std::vector<DataKind> kinds = {
      {"phantoms", "procedural images of every size; the class is a shape that stretching destroys",
       make<PhantomsOptions>},
      {"images", "images of a dataset file, at their own aspect ratio or as squares",
       make<ImagesOptions>},
      {"text", "windows of the texts of a tokens file, each token followed by the one to guess",
       make<TextOptions>},
      {"tokens", "sequences of tokens of a dataset file, each of a class", make<TokensOptions>},
      {"vectors", "vectors of a dataset file, each an example of one row", make<VectorsOptions>},
      {"pairs", "pairs of sequences of a dataset file: what is the answer, token by token?",
       make<PairsOptions>},
      {"graph", "graphs of a dataset file, whose nodes or graphs have labels", make<GraphOptions>},
      {"retrieval", "generated pairs of key and value, then a key: which value has it?",
       make<RetrievalOptions>, kSolvedAt},
      {"recall", "generated pairs of key and value, then keys: which token comes next?",
       make<RecallOptions>, kSolvedAt},
      {"copy", "generated tokens, each asked for again so many rows later", make<CopyOptions>,
       kSolvedAt},
      {"needle", "generated vectors of noise, one of which carries the class", make<NeedleOptions>},
      {"max", "generated items: of which category is the one of highest priority?",
       make<MaxOptions>},
      {"listops", "generated nested lists of digits and operators: what is their value?",
       make<ListopsOptions>},
      {"dictionary", "generated graphs: which value has the node of this node's key?",
       make<DictionaryOptions>},
      {"transduction", "generated tokens, to be said again or backwards, one after the other",
       make<TransductionOptions>},
      {"lookup", "generated items with a key and a value, and questions: which value has a key?",
       make<LookupOptions>},
  };
  return kinds;
}

DataConfig::DataConfig() {
  for (const DataKind& each : data_kinds()) options_.push_back(each.options());
}

std::vector<FieldVariant::Alternative> DataConfig::alternatives() {
  std::vector<FieldVariant::Alternative> all;
  for (std::size_t i = 0; i < options_.size(); ++i)
    all.push_back(FieldList::alternative(data_kinds()[i].name, data_kinds()[i].doc, *options_[i]));
  return all;
}

std::vector<FieldVariant::Alternative> DataConfig::source_alternatives() {
  std::vector<FieldVariant::Alternative> all = alternatives();
  for (const FieldVariant::Alternative& each : all)
    for (const char* name : {"resize", "augment"}) each.fields->forget(name);
  return all;
}

std::optional<double> DataConfig::solved_at() const {
  for (const DataKind& each : data_kinds())
    if (each.name == kind) return each.solved_at;
  return std::nullopt;
}

const DataOptions& DataConfig::chosen() const {
  std::string names;
  for (std::size_t i = 0; i < options_.size(); ++i) {
    if (data_kinds()[i].name == kind) return *options_[i];
    names += (i ? ", " : "") + data_kinds()[i].name;
  }
  throw ConfigError(fmt::format("data.kind={} is no kind of data; valid values: {}", kind, names));
}

}  // namespace attune
