#pragma once

#include <string>

#include "autograd/op.h"
#include "base/json.h"

namespace attune {

// What is known of an op before it is applied: operands with their shapes, options with type,
// default, range and choices, the line of mathematics.

// The page of `attune op NAME --help`.
std::string op_page(const Op& op);

// {inputs, indices, outputs, options}: a list each, of `attune list ops --json`.
Json op_json(const Op& op);

}  // namespace attune
