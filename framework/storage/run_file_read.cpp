#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "h5/h5.h"
#include "storage/run_file.h"

namespace attune {
namespace {

constexpr int kDeepestWeights = 16;  // nested groups; hard links may form a ring

Shape shape_of(const Dims& dims, const std::string& where) {
  switch (dims.size()) {
    case 0:
      return {};
    case 1:
      return {dims[0]};
    case 2:
      return {dims[0], dims[1]};
    case 3:
      return {dims[0], dims[1], dims[2]};
    case 4:
      return {dims[0], dims[1], dims[2], dims[3]};
    default:
      throw DataError(
          fmt::format("{}: has {} dimensions; a parameter has at most 4", where, dims.size()));
  }
}

// What reading finds wrong with a file that has a run file's schema, or none to be read, is damage.
template <class Read>
auto as_run_file(const std::string& path, Read read) {
  ATTUNE_CHECK(file_exists(path), DataError, "{}: there is no such file", path);
  std::string schema;
  try {
    const H5File file = H5File::open(path);
    schema = file.root().has_attribute("schema") ? file.root().text_attribute("schema") : "none";
    if (schema == "attune.run@1") return read(file.root());
  } catch (const DataError& error) {
    throw DamagedError(
        fmt::format("{}. Remove it, and the same command trains this trial again", error.what()));
  }
  // Metadata beside it says that it was a run file.
  const bool was_one =
      !schema.starts_with("attune.") && file_exists(path.substr(0, path.rfind('.')) + ".meta.json");
  ATTUNE_CHECK(!was_one, DamagedError,
               "{}: its schema is {}, not attune.run@1: the file is damaged. Remove it, and the "
               "same command trains this trial again",
               path, schema);
  throw DataError(
      fmt::format("{}: is no run file that this version reads: its schema is {}, not attune.run@1",
                  path, schema));
}

std::string text_or_empty(const H5Group& group, std::string_view name, std::string_view path = "") {
  return group.has_attribute(name, path) ? group.text_attribute(name, path) : "";
}

std::optional<Index> index_or_none(const H5Group& group, const char* name) {
  const auto value = group.attribute<Index>(name);
  return value >= 0 ? std::optional(value) : std::nullopt;
}

RunHead head_of(const H5Group& root) {
  RunHead head;
  head.name = root.text_attribute("name");
  head.row = root.text_attribute("row");
  head.kind = root.text_attribute("kind");
  head.status = root.text_attribute("status");
  head.identity = root.text_attribute("identity");
  head.data_sha256 = root.text_attribute("data_sha256");
  head.init_sha256 = text_or_empty(root, "init_sha256");
  head.build_id = root.text_attribute("build_id");
  head.seed = root.attribute<Index>("seed");
  head.steps = root.attribute<Index>("steps");
  head.fold = index_or_none(root, "fold");
  head.stop_step = index_or_none(root, "stop_step");
  head.repeat = index_or_none(root, "repeat");
  const H5Group final = root.group("final");
  for (const H5Entry& entry : final.entries()) {
    FinalMetric metric;
    metric.split = final.text_attribute("split", entry.name);
    metric.name = final.text_attribute("metric", entry.name);
    metric.value = final.read_scalar<double>(entry.name);
    metric.units = text_or_empty(final, "units", entry.name);
    metric.goal = text_or_empty(final, "goal", entry.name);
    metric.how = text_or_empty(final, "how", entry.name);
    head.final.push_back(std::move(metric));
  }
  return head;
}

MetricTable metrics_of(const H5Group& group) {
  MetricTable table;
  table.step = group.read<Index>("step");
  for (const H5Entry& entry : group.entries()) {
    if (entry.name == "step") continue;
    table.info.push_back({entry.name, text_or_empty(group, "units", entry.name),
                          text_or_empty(group, "long_name", entry.name),
                          text_or_empty(group, "goal", entry.name)});
    table.values.push_back(group.read<double>(entry.name));
    ATTUNE_CHECK(table.values.back().size() == table.step.size(), DataError,
                 "{}/{}: has {} values for {} steps", group.where(), entry.name,
                 table.values.back().size(), table.step.size());
  }
  return table;
}

Predictions predictions_of(const H5Group& group) {
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
  return p;
}

bool is_scale(const H5Group& group, const std::string& name) {
  return group.has_attribute("CLASS", name);
}

ProbeTable probe_of(const H5Group& group, const std::string& name) {
  ProbeTable table;
  table.name = name;
  for (const H5Entry& entry : group.entries()) {
    if (is_scale(group, entry.name)) {
      Dimension dimension{entry.name, {}, {}};
      if (group.info(entry.name).type == H5Type::text) {
        dimension.words = group.read_texts(entry.name);
      } else {
        dimension.numbers = group.read<Index>(entry.name);
      }
      table.dimensions.push_back(std::move(dimension));
    } else {
      table.quantities.push_back({entry.name, text_or_empty(group, "units", entry.name),
                                  text_or_empty(group, "long_name", entry.name),
                                  group.read<double>(entry.name)});
    }
  }
  return table;
}

NamedTensor tensor_of(const H5Group& group, const std::string& dataset, const std::string& name) {
  const H5Info info = group.info(dataset);
  const std::string where = group.where() + "/" + dataset;
  ATTUNE_CHECK(info.type == H5Type::float32 || info.type == H5Type::float64, DataError,
               "{}: holds {}; a parameter is float32 or float64", where, name_of(info.type));
  return {name, shape_of(info.dims, where), group.read<float>(dataset)};
}

void collect_weights(const H5Group& group, const std::string& prefix, int depth,
                     std::vector<NamedTensor>& out) {
  ATTUNE_CHECK(depth < kDeepestWeights, DataError, "{}: groups are nested more than {} deep",
               group.where(), kDeepestWeights);
  for (const H5Entry& entry : group.entries()) {
    const std::string name = prefix + entry.name;
    if (entry.kind == H5Entry::Kind::dataset && !is_scale(group, entry.name)) {
      out.push_back(tensor_of(group, entry.name, name));
    }
    // A further set of a run file says which it is; any other group is a part of the parameters'
    // names.
    if (entry.kind == H5Entry::Kind::group && !group.has_attribute("which", entry.name)) {
      collect_weights(group.group(entry.name), name + ".", depth + 1, out);
    }
  }
}

WeightSet weight_set_of(const H5Group& group) {
  WeightSet set;
  set.which = text_or_empty(group, "which");
  set.step = group.has_attribute("step") ? group.attribute<Index>("step") : 0;
  collect_weights(group, "", 0, set.tensors);
  return set;
}

FieldValue leaf_value(const H5Group& group, const std::string& key) {
  const H5Info info = group.attribute_info(key);
  const bool is_list = !info.dims.empty();
  if (info.type == H5Type::text) {
    if (is_list) return group.text_list_attribute(key);
    std::string text = group.text_attribute(key);
    return text == "null" ? FieldValue() : FieldValue(std::move(text));
  }
  if (is_real(info.type)) {
    return is_list ? FieldValue(group.list_attribute<double>(key))
                   : FieldValue(group.attribute<double>(key));
  }
  if (info.type == H5Type::int8) return group.attribute<Index>(key) != 0;
  return is_list ? FieldValue(group.list_attribute<Index>(key))
                 : FieldValue(group.attribute<Index>(key));
}

RunFile run_file_of(const H5Group& root) {
  RunFile file;
  file.head = head_of(root);
  const RunHead& head = file.head;
  const H5Group config = root.group("config");
  file.trial = {head.name,
                head.row,
                head.kind,
                head.seed,
                head.fold,
                head.stop_step,
                head.repeat,
                {},
                config.read_text("resolved_yaml"),
                head.data_sha256,
                head.init_sha256};
  for (const std::string& key : config.attributes()) {
    file.trial.config.push_back({key, leaf_value(config, key), Role::result, false});
  }
  RunContent& content = file.content;
  content.status = head.status;
  content.steps = head.steps;
  content.final = head.final;
  if (root.has_attribute("class_names"))
    content.class_names = root.text_list_attribute("class_names");
  if (root.has_attribute("gray_mean"))
    content.gray = GrayLaw{root.attribute<double>("gray_mean"), root.attribute<double>("gray_sd")};
  for (const H5Entry& e : root.group("metrics").entries())
    content.metrics[e.name] = metrics_of(root.group("metrics/" + e.name));
  for (const H5Entry& e : root.group("predictions").entries()) {
    content.predictions[e.name] = predictions_of(root.group("predictions/" + e.name));
  }
  for (const H5Entry& e : root.group("probes").entries())
    content.probes.push_back(probe_of(root.group("probes/" + e.name), e.name));
  const H5Group weights = root.group("weights");
  if (weights.has_attribute("which")) {
    content.weights.push_back(weight_set_of(weights));
    for (const H5Entry& e : weights.entries()) {
      if (e.kind == H5Entry::Kind::group)
        content.weights.push_back(weight_set_of(weights.group(e.name)));
    }
  }
  content.hash_step = root.read<Index>("hashes/step");
  content.hash = root.read<std::uint64_t>("hashes/hash");
  return file;
}

}  // namespace

RunHead read_run_head(const std::string& path) { return as_run_file(path, head_of); }
RunFile read_run_file(const std::string& path) { return as_run_file(path, run_file_of); }
Predictions read_predictions(const std::string& path, const std::string& split) {
  return as_run_file(path, [&](const H5Group& root) {
    ATTUNE_CHECK(root.has_group("predictions/" + split), DataError, "{}: has no /predictions/{}",
                 path, split);
    return predictions_of(root.group("predictions/" + split));
  });
}

WeightSet read_weights(const std::string& path, std::string_view which) {
  const H5File file = H5File::open(path);
  ATTUNE_CHECK(file.root().has_group("weights"), DataError,
               "{}: has no group /weights. A run file has one unless its study said "
               "results.save_parameters: []",
               path);
  const H5Group weights = file.root().group("weights");
  const std::string first = text_or_empty(weights, "which");
  if (which.empty() || which == first) {
    WeightSet set = weight_set_of(weights);
    ATTUNE_CHECK(!set.tensors.empty(), DataError, "{}: its /weights is empty", path);
    return set;
  }
  const std::string name(which);
  const bool has_set = weights.has_group(name) && weights.has_attribute("which", name);
  ATTUNE_CHECK(has_set, DataError, "{}: has no parameters '{}', only those named '{}'", path, which,
               first);
  return weight_set_of(weights.group(name));
}

}  // namespace attune
