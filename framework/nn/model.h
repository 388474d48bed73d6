#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "nn/pass.h"

namespace attune {

// What a batch gives to a model, by what its RowSpec says.
struct ModelInput {
  // Second rows of the pass's examples.
  struct Queries {
    PackedRows rows;
    RowCoordinates coordinates;
    Var values;                       // [n, width]
    View<const std::int32_t> tokens;  // [n]
  };
  Var values;  // [n, width] as a node of the tape, of sparse rows [entries]
  View<const std::int32_t> tokens = {};  // [n]
  SparseRows sparse = {};                // where values stand in sparse rows
  PackedEdges edges = {};
  Queries queries = {};
};

// From a batch to logits: [n_examples, n_classes], or [n rows, n_classes] where rows have targets,
// [n queries, n_classes] where queries are answered.
class Model {
 public:
  virtual ~Model() = default;
  virtual Var operator()(const Pass<float>& pass, const ModelInput& input) const = 0;
  virtual Var operator()(const Pass<double>& pass, const ModelInput& input) const = 0;
};

// For a class with a forward() that is a template over Real.
template <class Derived>
class ModelOf : public Model {
 public:
  Var operator()(const Pass<float>& pass, const ModelInput& input) const final {
    return static_cast<const Derived*>(this)->forward(pass, input);
  }
  Var operator()(const Pass<double>& pass, const ModelInput& input) const final {
    return static_cast<const Derived*>(this)->forward(pass, input);
  }
};

struct EncoderOptions;

// The options of one kind of model.
struct ModelOptions {
  virtual ~ModelOptions() = default;
  virtual void fields(FieldList& f) = 0;
  // Side of the patches that it reads; of no meaning where data has none.
  virtual Index patch_side() const { return 16; }
  // Its residual blocks; null where it has none.
  virtual const EncoderOptions* encoder() const { return nullptr; }
  // Attentions of a captured pass: one a block of the encoder, and what follows them.
  virtual Index n_attentions() const;
  // Rows that it puts in front of each example's.
  virtual Index rows_in_front(const RowSpec&) const { return 0; }
  // What keeps it from reading such rows: the message goes on from "model.kind=vit", the key is one
  // of its own.
  virtual std::optional<Complaint> misfit(const RowSpec& spec) const = 0;
  // Registers parameters and streams. The options must outlive the model.
  virtual std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const = 0;
};

// The misfit of a model of one sequence an example, on data that has queries; else none.
std::optional<Complaint> reads_no_queries(const RowSpec& spec);

struct ModelKind {
  std::string name, doc;
  std::unique_ptr<ModelOptions> (*options)();
};

// Every kind of model, in the order in which they are listed.
const std::vector<ModelKind>& model_kinds();

// The key `model` of a config: `kind`, and the options of each kind, of which the chosen one
// counts. Declare it with fields.variant("model", model.kind, model.alternatives(), doc).
class ModelConfig {
 public:
  ModelConfig();
  std::string kind;  // no default, as data.kind
  std::vector<FieldVariant::Alternative> alternatives();
  const ModelOptions& chosen() const { return find(kind); }
  ModelOptions& find(const std::string& kind) const;  // ConfigError when there is none

 private:
  std::vector<std::unique_ptr<ModelOptions>> options_;  // as model_kinds()
};

}  // namespace attune
