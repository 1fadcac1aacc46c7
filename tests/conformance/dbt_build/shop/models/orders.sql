select
    id as order_id,
    customer_id,
    cast(ordered_at as date) as ordered_on,
    status,
    cast(amount as decimal(10, 2)) as amount,
    coupon,
    amount >= 100 as is_large
from {{ ref('raw_orders') }}
where customer_id is not null
