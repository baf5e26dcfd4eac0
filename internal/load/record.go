package load

import (
	"fmt"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// shift moves all times of an input record and gives the time of the event, 0 for reference data.
func shift(record any, by sales.Millis) sales.Millis {
	switch r := record.(type) {
	case *sales.Purchase:
		r.OccurredAt += by
		return r.OccurredAt
	case *sales.Touchpoint:
		r.OccurredAt += by
		return r.OccurredAt
	case *sales.Identity:
		r.OccurredAt += by
		return r.OccurredAt
	case *sales.Signal:
		r.OccurredAt += by
		return r.OccurredAt
	case *sales.Outcome:
		r.OccurredAt += by
		if r.Until != 0 {
			r.Until += by
		}
		return r.OccurredAt
	case *sales.Customer:
		r.UpdatedAt += by
	case *sales.Campaign:
		r.StartsAt += by
		r.EndsAt += by
	case *sales.Product:
	default:
		panic(fmt.Sprintf("load: %T is not an input record", record))
	}
	return 0
}

// encode gives the record's value in the registry's wire format.
func encode(enc *wire.Encoder, record any) ([]byte, error) {
	switch r := record.(type) {
	case *sales.Purchase:
		return enc.AppendPurchase(nil, r)
	case *sales.Touchpoint:
		return enc.AppendTouchpoint(nil, r)
	case *sales.Identity:
		return enc.AppendIdentity(nil, r)
	case *sales.Signal:
		return enc.AppendSignal(nil, r)
	case *sales.Outcome:
		return enc.AppendOutcome(nil, r)
	case *sales.Customer:
		return enc.AppendCustomer(nil, r)
	case *sales.Campaign:
		return enc.AppendCampaign(nil, r)
	case *sales.Product:
		return enc.AppendProduct(nil, r)
	}
	panic(fmt.Sprintf("load: %T is not an input record", record))
}
