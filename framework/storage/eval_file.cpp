#include "storage/eval_file.h"

#include "base/error.h"
#include "h5/output.h"
#include "storage/h5_parts.h"

namespace attune {
namespace {

constexpr const char* kSchema = "attune.eval@1";

}  // namespace

void check_eval_output(const std::string& path, const std::vector<std::string>& inputs) {
  check_h5_output(path, kSchema, inputs);
}

std::string eval_file_bytes(const EvalContent& content, std::string_view build_id) {
  H5File file = H5File::create_in_memory("eval.h5");
  H5Group& root = file.root();
  root.set_attribute("Conventions", "CF-1.10");
  root.set_attribute("schema", kSchema);
  root.set_attribute("name", content.study);
  root.set_attribute("row", content.row);
  root.set_attribute("identity", content.identity);
  root.set_attribute("run_sha256", content.run_sha256);
  root.set_attribute("data_sha256", content.data_sha256);
  root.set_attribute("build_id", std::string(build_id));
  root.set_attribute("parameters", content.parameters);
  root.set_attribute("step", content.step);
  write_names(root, "class_names", content.class_names);

  H5Group final = root.create_group("final");
  for (const EvalMetric& m : content.metrics) {
    const std::string name = write_final(final, m.metric);
    if (!m.low || !m.high) continue;
    final.set_attribute("interval_low", *m.low, name);
    final.set_attribute("interval_high", *m.high, name);
    final.set_attribute("interval_level", 0.95, name);
    final.set_attribute("interval_over", "groups", name);
    final.set_attribute("n_groups", content.n_groups, name);
  }
  SizeScales sizes(root);
  H5Group predictions = root.create_group("predictions");
  write_predictions(predictions, "eval", content.predictions, sizes);
  return file.image();
}

namespace {

// /predictions/eval: columns of one length, each target one of the outputs.
void check_predictions(const EvalContent& content, const std::string& where) {
  const Predictions& p = content.predictions;
  const std::size_t n = p.example.size();
  ATTUNE_CHECK(p.group.size() == n && p.target.size() == n, DataError,
               "{}: has {} examples, {} groups and {} targets", where, n, p.group.size(),
               p.target.size());
  ATTUNE_CHECK(p.output.size() == n * content.class_names.size(), DataError,
               "{}/output: has {} values for {} examples of {} classes", where, p.output.size(), n,
               content.class_names.size());
  for (const Index target : p.target)
    ATTUNE_CHECK(target >= 0 && target < p.n_outputs, DataError,
                 "{}/target: {} is no place in class_names", where, target);
}

EvalContent content_of(const H5Group& root) {
  EvalContent content;
  content.study = root.text_attribute("name");
  content.row = root.text_attribute("row");
  content.identity = root.text_attribute("identity");
  content.run_sha256 = root.text_attribute("run_sha256");
  content.data_sha256 = root.text_attribute("data_sha256");
  content.parameters = root.text_attribute("parameters");
  content.step = root.attribute<Index>("step");
  content.class_names = read_names(root, "class_names");
  const H5Group final = root.group("final");
  for (const FinalMetric& metric : read_finals(final)) {
    const std::string name = metric.split + "_" + metric.name;
    EvalMetric& m = content.metrics.emplace_back(EvalMetric{metric, {}, {}});
    if (!final.has_attribute("interval_low", name)) continue;
    m.low = final.attribute<double>("interval_low", name);
    m.high = final.attribute<double>("interval_high", name);
    content.n_groups = final.attribute<Index>("n_groups", name);
  }
  content.predictions = read_predictions(root.group("predictions/eval"));
  check_predictions(content, root.group("predictions/eval").where());
  return content;
}

}  // namespace

EvalContent read_eval_file(const std::string& path) {
  const H5File file = H5File::open(path);
  const std::string schema = schema_of(file.root());
  ATTUNE_CHECK(schema == kSchema, DataError, "{}: is no evaluation: its schema is {}, not {}", path,
               schema.empty() ? "absent" : schema, kSchema);
  try {
    return content_of(file.root());
  } catch (const DataError& error) {
    throw DamagedError(
        fmt::format("{}: the file is damaged. `attune eval` makes it again", error.what()));
  }
}

}  // namespace attune
