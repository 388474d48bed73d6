#include <algorithm>

#include "base/error.h"
#include "h5/h5.h"
#include "storage/h5_parts.h"
#include "storage/run_file.h"

namespace attune {
namespace {

class RunFileWriter {
 public:
  RunFileWriter(const Trial& trial, const RunContent& content, std::string_view build_id)
      : trial_(trial),
        content_(content),
        build_id_(build_id),
        file_(H5File::create_in_memory(trial.stem() + ".h5")) {}

  std::string bytes() {
    root_attributes();
    metrics();
    final();
    predictions();
    probes();
    weights();
    config();
    hashes();
    return file_.image();
  }

 private:
  void root_attributes() {
    H5Group& root = file_.root();
    root.set_attribute("Conventions", "CF-1.10");
    root.set_attribute("schema", "attune.run@1");
    root.set_attribute("name", trial_.study);
    root.set_attribute("row", trial_.row);
    root.set_attribute("kind", trial_.kind);
    root.set_attribute("seed", trial_.seed);
    root.set_attribute("fold", trial_.fold.value_or(-1));
    root.set_attribute("stop_step", trial_.stop_step.value_or(-1));
    root.set_attribute("repeat", trial_.repeat.value_or(-1));
    root.set_attribute("status", content_.status);
    root.set_attribute("identity", trial_.identity());
    root.set_attribute("data_sha256", trial_.data_sha256);
    set_text(root, "init_sha256", trial_.init_sha256);
    root.set_attribute("build_id", std::string(build_id_));
    root.set_attribute("steps", content_.steps);
    write_names(root, "class_names", content_.class_names);
    write_names(root, "token_names", content_.token_names);
    if (content_.width > 0) root.set_attribute("width", content_.width);
    if (content_.row_targets) root.set_attribute("row_targets", Index{1});
    if (content_.gray) {
      root.set_attribute("gray_mean", content_.gray->mean);
      root.set_attribute("gray_sd", content_.gray->sd);
    }
  }

  void metrics() {
    H5Group all = file_.root().create_group("metrics");
    for (const auto& [split, table] : content_.metrics) {
      H5Group group = all.create_group(split);
      group.write("step", table.step, {.chunk = {}, .compress = true, .unlimited = true});
      group.make_scale("step");
      group.set_attribute("long_name", "optimiser steps done", "step");
      for (std::size_t i = 0; i < table.info.size(); ++i) {
        const MetricInfo& info = table.info[i];
        check_size(group, info.name, table.values.at(i).size(), table.step.size());
        group.write(info.name, table.values[i], {.chunk = {}, .compress = true, .unlimited = true});
        set_text(group, "units", info.units, info.name);
        set_text(group, "long_name", info.long_name, info.name);
        set_text(group, "goal", info.goal, info.name);
        group.attach_scale(info.name, 0, "step");
      }
    }
  }

  void final() {
    H5Group group = file_.root().create_group("final");
    for (const FinalMetric& metric : content_.final) write_final(group, metric);
  }

  void predictions() {
    H5Group all = file_.root().create_group("predictions");
    for (const auto& [split, p] : content_.predictions) write_predictions(all, split, p, sizes_);
  }

  void probes() {
    H5Group all = file_.root().create_group("probes");
    for (const ProbeTable& table : content_.probes) {
      H5Group group = all.create_group(table.name);
      set_text(group, "comment", table.comment);
      Dims dims;
      for (const Dimension& dimension : table.dimensions) {
        dims.push_back(dimension.size());
        if (dimension.words.empty()) {
          group.write(dimension.name, dimension.numbers);
        } else {
          group.write_texts(dimension.name, dimension.words);
        }
        group.make_scale(dimension.name);
      }
      std::string names;
      for (const ProbeTable::Label& label : table.labels) {
        group.write(label.name, label.values);
        set_text(group, "dimension", label.dimension, label.name);
        set_text(group, "long_name", label.long_name, label.name);
        group.attach_scale(label.name, 0, label.dimension);
        names += (names.empty() ? "" : " ") + label.name;
      }
      for (const ProbeTable::Quantity& quantity : table.quantities) {
        check_size(group, quantity.name, quantity.values.size(), count(dims));
        group.write(quantity.name, dims, quantity.values.data());
        set_text(group, "units", quantity.units, quantity.name);
        set_text(group, "long_name", quantity.long_name, quantity.name);
        set_text(group, "coordinates", names, quantity.name);  // as CF has it: xarray reads it
        for (std::size_t axis = 0; axis < dims.size(); ++axis) {
          group.attach_scale(quantity.name, static_cast<int>(axis), table.dimensions[axis].name);
        }
      }
    }
  }

  void weights() {
    H5Group first = file_.root().create_group("weights");
    for (std::size_t i = 0; i < content_.weights.size(); ++i) {
      const WeightSet& set = content_.weights[i];
      if (i == 0) {
        weight_set(first, set);
      } else {
        H5Group group = first.create_group(set.which);
        weight_set(group, set);
      }
    }
  }

  void weight_set(H5Group& group, const WeightSet& set) {
    group.set_attribute("which", set.which);
    group.set_attribute("step", set.step);
    for (const NamedTensor& tensor : set.tensors) {
      Dims dims;
      for (int axis = 0; axis < tensor.shape.rank(); ++axis) dims.push_back(tensor.shape[axis]);
      check_size(group, tensor.name, tensor.values.size(), count(dims));
      group.write(tensor.name, dims, tensor.values.data());
      for (std::size_t axis = 0; axis < dims.size(); ++axis) {
        const auto same = std::count(
            dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1, dims[axis]);
        group.attach_scale(tensor.name, static_cast<int>(axis), sizes_(dims[axis], same));
      }
    }
  }

  struct LeafAttribute {
    H5Group& group;
    const std::string& key;
    void operator()(std::monostate) const { group.set_attribute(key, "null"); }
    void operator()(bool value) const { group.set_attribute(key, static_cast<std::int8_t>(value)); }
    void operator()(const std::string& value) const { group.set_attribute(key, value); }
    template <class T>
    void operator()(const T& value) const {
      group.set_attribute(key, value);
    }
  };

  void config() {
    H5Group group = file_.root().create_group("config");
    group.write_text("resolved_yaml", trial_.config_yaml);
    for (const ConfigLeaf& leaf : trial_.recorded_config())
      std::visit(LeafAttribute{group, leaf.key}, leaf.value);
  }

  void hashes() {
    H5Group group = file_.root().create_group("hashes");
    check_size(group, "hash", content_.hash.size(), content_.hash_step.size());
    group.write("step", content_.hash_step, {.chunk = {}, .compress = true, .unlimited = true});
    group.make_scale("step");
    group.write("hash", content_.hash, {.chunk = {}, .compress = true, .unlimited = true});
    group.set_attribute("long_name", "hash of all parameters", "hash");
    group.attach_scale("hash", 0, "step");
  }

  const Trial& trial_;
  const RunContent& content_;
  std::string_view build_id_;
  H5File file_;
  SizeScales sizes_{file_.root()};
};

}  // namespace

std::string run_file_bytes(const Trial& trial, const RunContent& content,
                           std::string_view build_id) {
  return RunFileWriter(trial, content, build_id).bytes();
}

}  // namespace attune
