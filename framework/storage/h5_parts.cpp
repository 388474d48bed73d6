#include "storage/h5_parts.h"

#include <utility>

#include "base/error.h"

namespace attune {

std::string SizeScales::operator()(Index size, std::ptrdiff_t nth) {
  std::string name = fmt::format("size_{}", size);
  if (nth > 1) name += fmt::format("_{}", nth);
  if (made_.insert(name).second) root_.make_size(name, size);
  return "/" + name;
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
  const Dims dims = {static_cast<Index>(p.example.size()), p.n_outputs};
  check_size(group, "output", p.output.size(), count(dims));
  group.write("output", dims, p.output.data());
  group.attach_scale("output", 0, "example");
  group.attach_scale("output", 1, sizes(p.n_outputs));
}

}  // namespace attune
