#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "h5/h5.h"
#include "storage/h5_parts.h"
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

// Who says that a file is a run file: a study of its own trials, or a person.
enum class NamedBy { study, person };

const char* way_out(NamedBy who) {
  return who == NamedBy::study ? "Remove it, and the same command trains this trial again"
                               : "Copy it again from where it was made, or remove it and run its "
                                 "study again, which trains what is missing";
}

// Damage of what a study made, or what a person took for a run file.
[[noreturn]] void refuse(const std::string& path, NamedBy who, const std::string& what) {
  // Metadata beside it says that it was a run file.
  if (who == NamedBy::study || file_exists(path.substr(0, path.rfind('.')) + ".meta.json"))
    throw DamagedError(fmt::format("{}: {}: the file is damaged. {}", path, what, way_out(who)));
  throw DataError(
      fmt::format("{}: {}, and a run file is needed, which `attune run` leaves as "
                  "results/NAME/trials/ROW-s0-….h5",
                  path, what));
}

// What reading finds wrong with a file that has a run file's schema, or none to be read, is damage.
template <class Read>
auto as_run_file(const std::string& path, NamedBy who, Read read) {
  ATTUNE_CHECK(file_exists(path), DataError, "{}: there is no such file", path);
  if (std::filesystem::is_directory(path)) refuse(path, who, "is a folder");
  if (!H5File::recognises(path)) refuse(path, who, "is no HDF5 file");
  std::string schema;
  bool opened = false;
  try {
    const H5File file = H5File::open(path);
    opened = true;
    schema = schema_of(file.root());
    if (schema == "attune.run@1") return read(file.root());
  } catch (const DataError& error) {
    // Of what does not open it is unknown whether it was a run file; `open` says what to do.
    const bool known = opened || who == NamedBy::study;
    throw DamagedError(known ? fmt::format("{}. {}", error.what(), way_out(who)) : error.what());
  }
  const std::string what =
      fmt::format("its schema is {}, not attune.run@1", schema.empty() ? "absent" : schema);
  ATTUNE_CHECK(!schema.starts_with("attune.") || schema.starts_with("attune.run@"), DataError,
               "{}: is no run file: {}", path, what);
  refuse(path, who, what);
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
  head.final = read_finals(root.group("final"));
  for (const H5Entry& split : root.group("predictions").entries())
    head.predictions.push_back(split.name);
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

bool is_scale(const H5Group& group, const std::string& name) {
  return group.has_attribute("CLASS", name);
}

ProbeTable probe_of(const H5Group& group, const std::string& name) {
  ProbeTable table;
  table.name = name;
  table.comment = text_or_empty(group, "comment");
  for (const H5Entry& entry : group.entries()) {
    if (is_scale(group, entry.name)) {
      Dimension dimension{entry.name, {}, {}};
      if (group.info(entry.name).type == H5Type::text) {
        dimension.words = group.read_texts(entry.name);
      } else {
        dimension.numbers = group.read<Index>(entry.name);
      }
      table.dimensions.push_back(std::move(dimension));
    } else if (group.info(entry.name).type == H5Type::int64) {
      table.labels.push_back({entry.name, text_or_empty(group, "dimension", entry.name),
                              text_or_empty(group, "long_name", entry.name),
                              group.read<Index>(entry.name)});
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

RunFile run_file_of(const H5Group& root, const std::string& path) {
  RunFile file;
  file.path = path;
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
  content.class_names = read_names(root, "class_names");
  content.token_names = read_names(root, "token_names");
  content.row_targets = root.has_attribute("row_targets");
  if (root.has_attribute("width")) content.width = root.attribute<Index>("width");
  if (root.has_attribute("gray_mean"))
    content.gray = GrayLaw{root.attribute<double>("gray_mean"), root.attribute<double>("gray_sd")};
  for (const H5Entry& e : root.group("metrics").entries())
    content.metrics[e.name] = metrics_of(root.group("metrics/" + e.name));
  for (const H5Entry& e : root.group("predictions").entries()) {
    content.predictions[e.name] = read_predictions(root.group("predictions/" + e.name));
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

RunHead read_run_head(const std::string& path) {
  return as_run_file(path, NamedBy::study, head_of);
}

RunFile read_run_file(const std::string& path) {
  RunFile file = as_run_file(path, NamedBy::person,
                             [&](const H5Group& root) { return run_file_of(root, path); });
  ATTUNE_CHECK(file.trial.identity() == file.head.identity, DamagedError,
               "{}: its /config is not the one that its identity {:.8}… was made from: the file is "
               "damaged. {}",
               path, file.head.identity, way_out(NamedBy::person));
  return file;
}

Predictions read_predictions(const std::string& path, const std::string& split) {
  return as_run_file(path, NamedBy::study, [&](const H5Group& root) {
    return read_predictions(root.group("predictions/" + split));
  });
}

MetricTable read_series(const std::string& path, const std::string& split) {
  return as_run_file(path, NamedBy::study, [&](const H5Group& root) {
    return metrics_of(root.group("metrics/" + split));
  });
}

ProbeTable read_probe(const std::string& path, const std::string& name) {
  return as_run_file(path, NamedBy::study, [&](const H5Group& root) {
    return probe_of(root.group("probes/" + name), name);
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
