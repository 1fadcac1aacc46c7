select
    orders.ordered_on,
    count(*) as order_count,
    cast(sum(orders.amount) as decimal(12, 2)) as revenue
from {{ ref('orders') }} as orders
inner join {{ ref('customers') }} as customers using (customer_id)
group by orders.ordered_on
