// Anyone's look at the engine: one op of the list on arrays of a file.
#include "base/json.h"
#include "base/output_file.h"
#include "base/text.h"
#include "cli/op_inputs.h"
#include "cli/op_page.h"
#include "cli/session.h"
#include "config/config.h"
#include "h5/output.h"
#include "kernels/parallel.h"

namespace attune {
namespace {

constexpr const char* kSchema = "attune.op@1";

const Op& op_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Op* op : all_ops()) {
    if (op->name == name) return *op;
    names.emplace_back(op->name);
  }
  const auto meant = did_you_mean(name, names);
  throw ConfigError(
      fmt::format("there is no op '{}'; {}", name,
                  meant ? fmt::format("did you mean '{}'?", *meant) : "ops are " + join(names)));
}

// The file of results, and what is said of it.
class OpOutputs {
 public:
  OpOutputs(const Op& op, const std::string& path) : file_(H5File::create_in_memory(path)) {
    file_.root().set_attribute("schema", kSchema);
    file_.root().set_attribute("op", std::string(op.name));
  }

  template <class T>
  void add(const std::string& name, View<T> view) {
    Dims dims;
    for (int axis = 0; axis < view.rank(); ++axis) dims.push_back(view.dim(axis));
    file_.root().write(name, dims, static_cast<const std::remove_const_t<T>*>(view.data()));
    shapes_.emplace_back(name, view.shape().text());
  }
  std::string image() { return file_.image(); }
  const std::vector<std::pair<std::string, std::string>>& shapes() const { return shapes_; }

 private:
  H5File file_;
  std::vector<std::pair<std::string, std::string>> shapes_;
};

template <class Real>
void apply(const Op& op, OptionSet& options, const OpInputs& in, OpOutputs& out) {
  Arena arena;
  Tape<Real> tape(arena, in.wants_gradients());
  std::vector<Var> inputs;
  for (const Operand& o : op.inputs) {
    const View<Real> value = in.real<Real>(std::string(o.name), arena);
    inputs.push_back(value ? tape.parameter(value, arena.zeros<Real>(value.shape())) : Var{});
  }
  const Var first = tape.apply_bytes(op, inputs, in.indices(arena), options.data(), options.size());

  std::vector<typename Tape<Real>::Seed> seeds;
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    const Var var = Tape<Real>::output(first, static_cast<int>(i));
    const std::string name(op.outputs[i].name);
    const View<Real> grad = in.real<Real>("grad_" + name, arena);
    const bool none = op.outputs[i].optional && tape.shape(var).size() == 0;
    ATTUNE_CHECK(!grad || (!none && grad.shape() == tape.shape(var)), ShapeError,
                 "[{}] grad_{} is {}, but {} is {}", op.name, name, grad.shape().text(), name,
                 none ? "absent under these options" : tape.shape(var).text());
    if (!none) out.add(name, tape.value(var));
    if (grad) seeds.push_back({var, grad});
  }
  if (seeds.empty()) return;
  tape.backward(seeds);
  for (std::size_t i = 0; i < op.inputs.size(); ++i)
    if (inputs[i]) out.add("grad_" + std::string(op.inputs[i].name), tape.grad(inputs[i]));
}

void print(const Console& console, const OpOutputs& out, const Op& op, bool in_double) {
  if (console.json) {
    Json arrays, json;
    for (const auto& [name, shape] : out.shapes()) arrays.set(name, shape);
    json.set("op", op.name).set("type", in_double ? "float64" : "float32");
    console.out.print(json.set("arrays", std::move(arrays)).dump() + "\n");
  } else if (!console.quiet) {
    for (const auto& [name, shape] : out.shapes())
      console.out.print(fmt::format("{} {}\n", name, shape));
  }
}

}  // namespace

ExitCode verb_op(Session& session) {
  const Command& command = session.command;
  const Op& op = op_named(command.operands[0]);
  if (command.has("help")) {
    session.console.out.print(session.console.json ? op_json(op).dump() + "\n" : op_page(op));
    return ExitCode::ok;
  }
  const std::string& path = command.operands[1];
  const auto to = command.text("out");
  ATTUNE_CHECK(to, ConfigError, "op needs a file to write: attune op {} {} -o OUT.h5", op.name,
               path);
  check_h5_output(*to, kSchema, {path});

  Diagnostics diagnostics;
  const auto options = op.options();
  FieldList fields;
  options->fields(fields);
  bind(compose_overrides(command.overrides, diagnostics), fields, diagnostics);
  const OpInputs in(op, path, diagnostics);
  diagnostics.raise();

  OpOutputs out(op, *to);
  kernels::Threads threads(command.threads());
  try {
    threads.run([&] {
      in.in_double() ? apply<double>(op, *options, in, out) : apply<float>(op, *options, in, out);
    });
  } catch (const ShapeError& e) {  // here operands come from a file
    throw DataError(fmt::format("{}: {}", path, e.what()));
  }
  write_output(*to, out.image());
  print(session.console, out, op, in.in_double());
  return ExitCode::ok;
}

}  // namespace attune
