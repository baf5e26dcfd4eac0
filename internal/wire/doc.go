// Package wire turns values in the registry's wire format (a zero byte, a four-byte schema id, Avro) into the trade's
// types and back.
//
// What it guarantees:
//
//   - A value is read with the schema it was written with. For each writer's schema one projection into the Go struct is
//     compiled, once: unneeded fields are skipped, missing optional ones get their default, numbers are promoted, enum
//     symbols are matched by name. Shapes that the projection does not know go the slow way, through goavro and JSON.
//   - Nothing in a value makes it panic, loop or allocate by a number that the value merely claims. What cannot be used is
//     a *Poison with the class of its dead letter; any other error is passing, or says that the registry does not know
//     the schema (ErrUnknownSchema).
//   - What is decoded keeps the rules of the contract that need neither a clock nor a key (see the Check functions).
//
// Decoded strings alias the value's bytes, also as keys and values of maps: whoever keeps one beyond the life of the
// bytes clones it. Slices of the struct decoded into are reused, maps are not.
//
// It does no IO: schemas come from a SchemaSource. It is the only package besides schemas and topics that knows Avro. It may
// import sales and schemas; roles and commands import it, pure packages never do.
package wire
