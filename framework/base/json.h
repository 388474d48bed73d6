#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/fields.h"

namespace attune {

// A JSON value. Maps keep the order in which their keys were set.
class Json {
 public:
  using List = std::vector<Json>;
  using Map = std::vector<std::pair<std::string, Json>>;

  Json() = default;  // null
  Json(bool value) : value_(value) {}
  Json(int value) : value_(Index{value}) {}
  Json(Index value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(List value) : value_(std::move(value)) {}
  Json(Map value) : value_(std::move(value)) {}
  Json(const FieldValue& value);
  template <class T>
  Json(const std::vector<T>& items) : value_(List(items.begin(), items.end())) {}

  // Sets a key of a map (null becomes one), over an older value; returns this.
  Json& set(std::string_view key, Json value);
  // Appends to a list (null becomes one).
  void push(Json value);

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  // The value at a key, null when this is no map or has no such key.
  const Json* find(std::string_view key) const;
  // The value as that type, or null when it is another; whole numbers are reals too.
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const List* list() const { return std::get_if<List>(&value_); }
  const Map* map() const { return std::get_if<Map>(&value_); }
  const bool* boolean() const { return std::get_if<bool>(&value_); }
  const Index* integer() const { return std::get_if<Index>(&value_); }
  std::optional<double> real() const;

  // Indented by two, ends in no newline; reals with the fewest digits that read back to the same,
  // NaN and infinities as null, bytes that are no UTF-8 as U+FFFD.
  std::string dump() const;

  // DamagedError naming `name` and the byte when the text is no JSON.
  static Json parse(std::string_view text, std::string_view name);

 private:
  std::variant<std::monostate, bool, Index, double, std::string, List, Map> value_;
};

}  // namespace attune
