#include "storage/eval_file.h"

#include "storage/h5_parts.h"

namespace attune {

std::string eval_file_bytes(const EvalContent& content, std::string_view build_id) {
  H5File file = H5File::create_in_memory("eval.h5");
  H5Group& root = file.root();
  root.set_attribute("Conventions", "CF-1.10");
  root.set_attribute("schema", "attune.eval@1");
  root.set_attribute("name", content.study);
  root.set_attribute("row", content.row);
  root.set_attribute("identity", content.identity);
  root.set_attribute("run_sha256", content.run_sha256);
  root.set_attribute("data_sha256", content.data_sha256);
  root.set_attribute("build_id", std::string(build_id));
  root.set_attribute("parameters", content.parameters);
  root.set_attribute("step", content.step);
  root.set_attribute("class_names", content.class_names);

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

}  // namespace attune
