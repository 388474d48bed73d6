#include "cli/op_page.h"

#include "base/text.h"
#include "cli/help.h"
#include "config/keys.h"

namespace attune {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

bool may_be_absent(const Operand& operand) { return operand.optional || operand.absent; }

std::string block(const std::string& head, const Rows& rows) {
  return rows.empty() ? "" : head + "\n" + two_columns(rows) + "\n";
}

Rows rows_of(const std::vector<Operand>& operands, const char* when_optional) {
  Rows rows;
  for (const Operand& o : operands) {
    const std::string absent = o.absent     ? fmt::format(" (if absent {})", o.absent->means)
                               : o.optional ? fmt::format(" ({})", when_optional)
                                            : "";
    rows.emplace_back(fmt::format("  {}", o.name), std::string(o.shape) + absent);
  }
  return rows;
}

Json operands_json(const std::vector<Operand>& operands) {
  Json json = Json::List{};
  for (const Operand& o : operands) {
    Json operand;
    operand.set("name", o.name).set("shape", o.shape).set("optional", may_be_absent(o));
    if (o.absent) operand.set("if_absent", o.absent->means);
    json.push(std::move(operand));
  }
  return json;
}

}  // namespace

std::string op_page(const Op& op) {
  std::string text = fmt::format("usage: attune op {} IN.h5 -o OUT.h5 [option=value ...]\n\n{}\n\n",
                                 op.name, wrap(op.maths, 80));
  text += block("inputs, all float32 or all float64:", rows_of(op.inputs, "optional"));
  text += block("integer inputs, int32 or int64:", rows_of(op.indices, "optional"));
  text += block("outputs, and grad_INPUT of every input where IN holds a grad_OUTPUT:",
                rows_of(op.outputs, "under some options"));
  const auto defaults = op.options();
  FieldList fields;
  defaults->fields(fields);
  Rows options;
  const KeyIndex known(fields);
  for (const KeyInfo& o : known.all())
    options.emplace_back("  " + o.key, fmt::format("{} ({})", o.doc, o.summary()));
  return text + block("options:", options);
}

Json op_json(const Op& op) {
  Json options = Json::List{};
  const auto defaults = op.options();
  FieldList fields;
  defaults->fields(fields);
  const std::vector<ConfigLeaf> values = leaves(fields);
  const KeyIndex known(fields);  // in the same order
  for (std::size_t i = 0; i < values.size(); ++i) {
    const KeyInfo& o = known.all()[i];
    Json option;
    option.set("name", o.key).set("type", o.type).set("default", values[i].value);
    option.set("doc", o.doc);
    option.set("range", o.range.empty() ? Json() : Json(o.range));
    if (!o.choices.empty()) option.set("choices", o.choices);
    options.push(std::move(option));
  }
  Json json;
  json.set("inputs", operands_json(op.inputs)).set("indices", operands_json(op.indices));
  json.set("outputs", operands_json(op.outputs));
  return json.set("options", std::move(options));
}

}  // namespace attune
