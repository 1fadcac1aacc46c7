select
    customers.id as customer_id,
    customers.name,
    countries.country_name,
    countries.region
from {{ ref('raw_customers') }} as customers
inner join {{ ref('countries') }} as countries using (country_code)
