#include "storage/h5_parts.h"

#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace attune {

std::string SizeScales::operator()(Index size, std::ptrdiff_t nth) {
  std::string name = fmt::format("size_{}", size);
  if (nth > 1) name += fmt::format("_{}", nth);
  if (made_.insert(name).second) root_.make_size(name, size);
  return "/" + name;
}

std::string schema_of(const H5Group& root) {
  if (!root.has_attribute("schema")) return "";
  return root.attribute_info("schema").type == H5Type::text ? root.text_attribute("schema")
                                                            : "no text";
}

std::string text_or_empty(const H5Group& group, std::string_view name, std::string_view path) {
  return group.has_attribute(name, path) ? group.text_attribute(name, path) : "";
}

std::size_t count(const Dims& dims) {
  std::size_t n = 1;
  for (const Index d : dims) n *= static_cast<std::size_t>(d);
  return n;
}

void check_size(const H5Group& group, std::string_view name, std::size_t has, std::size_t needs) {
  ATTUNE_CHECK(has == needs, StorageError, "{}/{} has {} values, where its dimensions need {}",
               group.where(), name, has, needs);
}

void set_text(H5Group& group, const char* name, const std::string& value, std::string_view path) {
  if (!value.empty()) group.set_attribute(name, value, path);
}

std::string write_final(H5Group& final, const FinalMetric& metric) {
  std::string name = metric.split + "_" + metric.name;
  final.write_scalar(name, metric.value);
  final.set_attribute("split", metric.split, name);
  final.set_attribute("metric", metric.name, name);
  set_text(final, "units", metric.units, name);
  set_text(final, "goal", metric.goal, name);
  set_text(final, "how", metric.how, name);
  return name;
}

void write_predictions(H5Group& predictions, const std::string& split, const Predictions& p,
                       SizeScales& sizes) {
  H5Group group = predictions.create_group(split);
  group.write("example", p.example);
  group.make_scale("example");
  for (const auto& [name, column] : {std::pair{"group", &p.group}, {"target", &p.target}}) {
    check_size(group, name, column->size(), p.example.size());
    group.write(name, *column);
    group.attach_scale(name, 0, "example");
  }
  if (!p.position.empty()) {
    check_size(group, "position", p.position.size(), p.example.size());
    group.write("position", p.position);
    group.attach_scale("position", 0, "example");
  }
  if (p.n_decoded > 0) {
    const Dims decoded = {static_cast<Index>(p.sequence.size()), p.n_decoded};
    check_size(group, "decoded", p.decoded.size(), count(decoded));
    group.write("sequence", p.sequence);
    group.make_scale("sequence");
    group.write("decoded", decoded, p.decoded.data());
    group.attach_scale("decoded", 0, "sequence");
    group.attach_scale("decoded", 1, sizes(p.n_decoded));
    group.set_attribute("long_name", "classes decoded greedily, -1 behind the end", "decoded");
  }
  const Dims dims = {static_cast<Index>(p.example.size()), p.n_outputs};
  check_size(group, "output", p.output.size(), count(dims));
  group.write("output", dims, p.output.data());
  group.attach_scale("output", 0, "example");
  group.attach_scale("output", 1, sizes(p.n_outputs));
  group.set_attribute("loss", p.loss);
}

Predictions read_predictions(const H5Group& group) {
  Predictions p;
  p.example = group.read<Index>("example");
  p.group = group.read<Index>("group");
  p.target = group.read<Index>("target");
  const H5Info output = group.info("output");
  ATTUNE_CHECK(output.dims.size() == 2, DataError,
               "{}/output: has {} dimensions, where 2 are needed", group.where(),
               output.dims.size());
  p.n_outputs = output.dims[1];
  p.output = group.read<float>("output");
  if (group.has_attribute("loss")) p.loss = group.text_attribute("loss");
  if (group.has_dataset("position")) p.position = group.read<Index>("position");
  if (group.has_dataset("decoded")) {
    p.sequence = group.read<Index>("sequence");
    p.decoded = group.read<std::int32_t>("decoded");
    const H5Info decoded = group.info("decoded");
    ATTUNE_CHECK(
        decoded.dims.size() == 2 && decoded.dims[0] == static_cast<Index>(p.sequence.size()),
        DataError, "{}/decoded: must have two dimensions, a row for each of {} sequences",
        group.where(), p.sequence.size());
    p.n_decoded = decoded.dims[1];
  }
  return p;
}

void write_names(H5Group& root, const char* attribute, const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 2000;  // 16 bytes each of the 64 KiB that an attribute may have
  if (names.empty()) return;
  if (names.size() <= kMost) {
    root.set_attribute(attribute, names);
  } else {
    root.set_attribute(attribute, Json(names).dump());
  }
}

std::vector<std::string> read_names(const H5Group& root, const char* attribute) {
  if (!root.has_attribute(attribute)) return {};
  if (!root.attribute_info(attribute).dims.empty()) return root.text_list_attribute(attribute);
  const Json list = Json::parse(root.text_attribute(attribute), root.where());
  std::vector<std::string> texts;
  ATTUNE_CHECK(list.list(), DataError, "{}: attribute {} is no list of names", root.where(),
               attribute);
  for (const Json& each : *list.list()) {
    ATTUNE_CHECK(each.text(), DataError, "{}: attribute {} is no list of names", root.where(),
                 attribute);
    texts.push_back(*each.text());
  }
  return texts;
}

std::vector<FinalMetric> read_finals(const H5Group& final) {
  std::vector<FinalMetric> metrics;
  for (const H5Entry& entry : final.entries()) {
    FinalMetric metric;
    metric.split = final.text_attribute("split", entry.name);
    metric.name = final.text_attribute("metric", entry.name);
    metric.value = final.read_scalar<double>(entry.name);
    metric.units = text_or_empty(final, "units", entry.name);
    metric.goal = text_or_empty(final, "goal", entry.name);
    metric.how = text_or_empty(final, "how", entry.name);
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

}  // namespace attune
