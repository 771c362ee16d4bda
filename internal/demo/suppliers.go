package demo

import (
	"net/http"
	"strings"
)

// Supplier is a company in the demo CRM that its web pages know nothing of: only
// its API does.
type Supplier struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Account string `json:"account"`
	Email   string `json:"email"`
	Phone   string `json:"phone"`
	// Orders is the number of the people who take orders.
	Orders string `json:"orders"`
	City   string `json:"city"`
}

// Suppliers lists the demo CRM's suppliers. One shares the switchboard's number:
// a company beside people of another.
func Suppliers() []Supplier {
	return []Supplier{
		{
			ID: "s-001", Name: "Papeterie du Rhin", Account: "401-0117", City: "Strasbourg",
			Email: "contact@papeterie-du-rhin.example", Phone: spaced(supplierNumber), Orders: "03.53.01.01.51",
		},
		{
			ID: "s-002", Name: "Bellier Logistique", Account: "401-0042", City: "Strasbourg",
			Email: "fret@bellier-logistique.example", Phone: spaced(switchboardNumber),
		},
	}
}

// suppliersAnswer is a page of suppliers, in the envelope of contacts.
type suppliersAnswer struct {
	Success bool          `json:"success"`
	Data    suppliersPage `json:"data"`
}

type suppliersPage struct {
	Total int        `json:"total"`
	Items []Supplier `json:"items"`
}

func searchSuppliers(w http.ResponseWriter, r *http.Request) {
	found := suppliersByDigits(r.URL.Query().Get("phone"))
	writeJSON(w, http.StatusOK, suppliersAnswer{Success: true, Data: suppliersPage{Total: len(found), Items: found}})
}

func suppliersByDigits(text string) []Supplier {
	found := []Supplier{}
	wanted := digits(text)
	for _, supplier := range Suppliers() {
		if wanted != "" && (strings.Contains(digits(supplier.Phone), wanted) || strings.Contains(digits(supplier.Orders), wanted)) {
			found = append(found, supplier)
		}
	}
	return found
}
