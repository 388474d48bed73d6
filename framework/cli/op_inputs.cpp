#include "cli/op_inputs.h"

#include <algorithm>

#include "base/text.h"

namespace attune {
namespace {

const std::string kGradient = "grad_";

const Operand* find(const std::vector<Operand>& operands, std::string_view name) {
  const auto found = std::find_if(operands.begin(), operands.end(),
                                  [name](const Operand& o) { return o.name == name; });
  return found == operands.end() ? nullptr : &*found;
}

const Operand* output_of_gradient(const Op& op, std::string_view name) {
  return name.starts_with(kGradient) ? find(op.outputs, name.substr(kGradient.size())) : nullptr;
}

bool is_float(H5Type type) { return type == H5Type::float32 || type == H5Type::float64; }
bool is_index(H5Type type) { return type == H5Type::int32 || type == H5Type::int64; }

}  // namespace

OpInputs::OpInputs(const Op& op, const std::string& path, Diagnostics& diagnostics)
    : op_(op), file_(H5File::open(path)), diagnostics_(diagnostics) {
  auto source = std::make_shared<Source>();
  source->name = path;
  source_ = std::move(source);
  for (const H5Entry& entry : file_.root().entries()) check_entry(entry);
  check_missing(op.inputs, "input");
  check_missing(op.indices, "integer input");
  std::vector<std::string> reals;
  for (const Operand& o : op.inputs) reals.emplace_back(o.name);
  for (const Operand& o : op.outputs) {
    reals.push_back(kGradient + std::string(o.name));
    wants_gradients_ = wants_gradients_ || has(reals.back());
  }
  check_one_type(reals);
}

void OpInputs::wrong(std::string message) {
  diagnostics_.error({.at = Origin::of(source_), .message = std::move(message)});
}

void OpInputs::check_entry(const H5Entry& entry) {
  const Operand* real = find(op_.inputs, entry.name);
  if (!real) real = output_of_gradient(op_, entry.name);
  const Operand* index = find(op_.indices, entry.name);
  if (!real && !index) {
    std::vector<std::string> names;
    for (const auto* operands : {&op_.inputs, &op_.indices})
      for (const Operand& o : *operands) names.emplace_back(o.name);
    for (const Operand& o : op_.outputs) names.push_back(kGradient + std::string(o.name));
    const auto meant = did_you_mean(entry.name, names);
    return wrong(
        fmt::format("{} takes no '{}'; {}", op_.name, entry.name,
                    meant ? fmt::format("did you mean '{}'?", *meant) : "it takes " + join(names)));
  }
  if (entry.kind != H5Entry::Kind::dataset)
    return wrong(fmt::format("'{}' is no dataset of this file", entry.name));
  const H5Info info = file_.root().info(entry.name);
  if (real && !is_float(info.type))
    wrong(
        fmt::format("'{}' is {}, and must be float32 or float64", entry.name, name_of(info.type)));
  if (index && !is_index(info.type))
    wrong(fmt::format("'{}' is {}, and must be int32 or int64", entry.name, name_of(info.type)));
  if (info.dims.size() > Shape::kMaxRank)
    wrong(fmt::format("'{}' has {} dimensions, and may have {}", entry.name, info.dims.size(),
                      Shape::kMaxRank));
}

void OpInputs::check_missing(const std::vector<Operand>& operands, const char* what) {
  for (const Operand& o : operands)
    if (!o.optional && !o.absent && !has(o.name))
      wrong(fmt::format("{} '{}' {} of {} is missing", what, o.name, o.shape, op_.name));
}

void OpInputs::check_one_type(const std::vector<std::string>& reals) {
  std::vector<std::string> single, twice;
  for (const std::string& name : reals) {
    if (!has(name)) continue;
    const H5Type type = file_.root().info(name).type;
    if (type == H5Type::float32) single.push_back(name);
    if (type == H5Type::float64) twice.push_back(name);
  }
  if (!single.empty() && !twice.empty())
    wrong(
        fmt::format("reals must be all of one type, which the op is then computed in; here "
                    "float32 are {}, float64 {}",
                    join(single), join(twice)));
  if (single.empty()) real_ = H5Type::float64;
}

Shape OpInputs::shape(const std::string& name) const {
  const Dims dims = file_.root().info(name).dims;
  switch (dims.size()) {
    case 0:
      return {};
    case 1:
      return {dims[0]};
    case 2:
      return {dims[0], dims[1]};
    case 3:
      return {dims[0], dims[1], dims[2]};
    default:
      return {dims[0], dims[1], dims[2], dims[3]};
  }
}

std::vector<View<const std::int32_t>> OpInputs::indices(Arena& arena) const {
  std::vector<Shape> inputs;
  for (const Operand& o : op_.inputs)
    inputs.push_back(has(o.name) ? shape(std::string(o.name)) : Shape());
  std::vector<std::vector<std::int32_t>> values;
  std::vector<View<const std::int32_t>> views;
  for (const Operand& o : op_.indices) {
    const std::string name(o.name);
    values.emplace_back();
    if (has(name)) {
      values.back() = file_.root().read<std::int32_t>(name);
      views.emplace_back(in_arena(values.back(), shape(name), arena));
    } else if (o.absent) {
      values.back() = o.absent->make(inputs, values);
      views.emplace_back(
          in_arena(values.back(), {static_cast<Index>(values.back().size())}, arena));
    } else {
      views.emplace_back();
    }
  }
  return views;
}

}  // namespace attune
