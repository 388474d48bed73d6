#pragma once

#include "train/probe.h"

namespace attune {

// attention_maps [step, example, layer, head, query, key]: the attention weights of a few examples
// as they are, without dropout, NaN beyond an example's rows, of which it has `length`. Coordinates
// of `example` are the ids of the dataset, as in /predictions. A class token is row 0. Keys of the
// linformer are the rows that it projects to.
struct AttentionMapsOptions : ProbeOptions {
  struct Examples {
    enum class Choose { first, per_label };
    Split split = Split::test;
    Index count = 4;
    Choose choose = Choose::first;
    void fields(FieldList& f);
  };
  std::vector<std::string> steps = {"last"};  // numbers, first, last
  std::optional<std::vector<Index>> layers;   // none: all
  Examples examples;

  const ProbeInfo& info() const override;
  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const std::string& kind,
                                  const ModelOptions& model) const override;
  std::optional<Complaint> misfit(const ModelOptions& model, const Dataset& data) const override;
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;

  // What the table has, known before the run.
  std::vector<Index> chosen_examples(const Dataset& data) const;  // of the split
  std::vector<Index> chosen_layers(const ModelOptions& model) const;
  struct Size {
    Index queries, keys;
  };
  Size longest(const ModelOptions& model, const Dataset& data) const;
};

}  // namespace attune
